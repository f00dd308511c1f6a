//! Bytes from anywhere, for seconds; `cargo xtask fuzz` does it for longer.

use piecework_server::testing::{World, methods, seeds};
use piecework_storage::fuzzing::mutated;

/// Mutated requests; a multiple of `REQUESTS_PER_WORLD`.
const REQUESTS: u64 = 4_000;
const REQUESTS_PER_WORLD: u64 = 20;

#[test]
fn no_request_brings_the_daemon_down_or_is_answered_internal() {
    let (seeds, methods) = (seeds(), methods().len());
    let pick = |number: u64| usize::try_from(number).expect("small") % seeds.len();
    let mut asked = vec![false; methods];
    for first in (0..REQUESTS).step_by(usize::try_from(REQUESTS_PER_WORLD).expect("small")) {
        let mut world = World::prepared();
        for number in first..first + REQUESTS_PER_WORLD {
            let (method, good) = &seeds[pick(number * 7)];
            let (_, other) = &seeds[pick(number * 31 + 5)];
            asked[*method] = true;
            world.ask(*method, &mutated(good, other, number));
        }
        world.check();
    }
    assert_eq!(asked, vec![true; methods], "every method was asked");
}

#[test]
fn good_requests_are_answered() {
    let mut world = World::prepared();
    let mut answered = 0;
    for (method, message) in seeds() {
        answered += usize::from(matches!(world.ask(method, &message), Some(Ok(_))));
    }
    assert!(answered > 20, "{answered}");
    world.check();
}
