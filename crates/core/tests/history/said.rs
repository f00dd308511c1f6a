//! What workers answer: every kind of field at once, whichever of them are asked for.

use piecework_core::Fingerprint;
use piecework_core::schema::{Answer, Content, Finite, Member, Members};

/// Mostly the same, so that majorities and ratings come about.
const LABELS: [&str; 8] = ["a", "a", "a", "a", "b", "b", "c", "no choice"];
const TAGS: [&[&str]; 4] = [&["tail"], &["tail", "ears"], &[], &["tail"]];
/// The first three are the same when compared.
const PLACES: [&str; 4] = ["Turku", "turku ", "ＴＵＲＫＵ", "York"];

/// One answer for each number; one in eight fits no kind of field.
pub(super) fn said(number: u8) -> Answer {
    let n = usize::from(number);
    let (label, misfit) = (LABELS[n % 8], n % 8 == 7);
    let tags = if misfit { &["wings"][..] } else { TAGS[n % 4] };
    let list = tags.iter().map(|tag| Some((*tag).to_owned())).collect();
    let age = if misfit { 1_000.0 } else { [40.0, 41.0, 40.5, 90.0][n % 4] };
    let members = Members::from([
        ("label".to_owned(), Member::text(label)),
        ("sure".to_owned(), if misfit { Member::Other } else { Member::Boolean(n % 3 > 0) }),
        ("tags".to_owned(), Member::List(list)),
        ("age".to_owned(), Member::Number(Finite::new(age).expect("finite"))),
        ("place".to_owned(), if misfit { Member::Other } else { Member::text(PLACES[n % 4]) }),
        ("note".to_owned(), Member::text("whatever")),
    ]);
    let content = Content::Object(members);
    let bytes = format!("{content:?}").into_bytes();
    let fingerprint = Fingerprint::of(&[&bytes]);
    let content_type = "application/json".into();
    Answer { bytes, content_type, content, fingerprint, meaning: fingerprint }
}
