//! The demo's tasks: pictures of animals, whose truth only this file knows.
//!
//! Everything follows from one fixed seed, so every demo asks the same
//! questions and every simulated worker errs at the same pictures.

use bytes::Bytes;

/// How many pictures there are.
pub(super) const IMAGES: u32 = 2_000;
/// What may be on one.
pub(super) const CHOICES: [&str; 4] = ["cat", "dog", "fox", "owl"];

const SEED: u64 = 0x70_69_65_63_65;

/// What is on a picture.
pub(super) fn truth(image: u32) -> usize {
    choice(draw(0, image))
}

/// What a worker takes a picture for, who is right in so many of 1,000 cases.
pub(super) fn seen_by(worker: u32, right_of_1000: u64, image: u32) -> usize {
    let draw = draw(worker + 1, image);
    let truth = truth(image);
    if draw % 1_000 < right_of_1000 {
        return truth;
    }
    // One of the others.
    (truth + 1 + choice(draw >> 32) % (CHOICES.len() - 1)) % CHOICES.len()
}

/// The picture's own id.
pub(super) fn task_id(image: u32) -> String {
    format!("img-{image:04}")
}

/// What a worker is given. The truth is not in it.
pub(super) fn payload(image: u32) -> Bytes {
    format!("{{\"image\":\"https://images.example/{image:04}.jpg\"}}").into()
}

/// Which picture a payload shows.
pub(super) fn image_of(payload: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(payload).ok()?;
    text.rsplit_once('/')?.1.split_once('.')?.0.parse().ok()
}

/// An answer in the project's schema.
pub(super) fn answer(choice: usize) -> Bytes {
    format!("{{\"label\":\"{}\"}}", CHOICES[choice]).into()
}

fn choice(draw: u64) -> usize {
    // Below the number of choices, so it fits.
    usize::try_from(draw % CHOICES.len() as u64).unwrap_or(0)
}

/// A fixed random number for a stream and an image (SplitMix64).
fn draw(stream: u32, image: u32) -> u64 {
    let key = (u64::from(stream) << 32) | u64::from(image);
    let mut z = (SEED ^ key).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_leads_back_to_its_picture() {
        assert_eq!(image_of(&payload(42)), Some(42));
        assert_eq!(image_of(b"{}"), None);
    }

    #[test]
    fn truth_is_spread_and_workers_are_as_good_as_they_should_be() {
        let cats = (0..IMAGES).filter(|&image| truth(image) == 0).count();
        assert!((400..600).contains(&cats), "{cats}");
        for (right, range) in [(970, 1_900..1_980), (250, 400..600), (0, 0..1)] {
            let correct = (0..IMAGES).filter(|&i| seen_by(3, right, i) == truth(i)).count();
            assert!(range.contains(&correct), "{right}: {correct}");
        }
    }
}
