//! The journal's body: round trip, golden bytes, damage.

use bytes::Bytes;
use piecework_core::change::{Change, Changed};
use piecework_core::project::Sweep;
use piecework_core::{EngineTime, ProjectId, TaskNumber, TenantId};
use piecework_storage::{
    CommandHeader, GroupError, Key, Row, RowError, RowId, decode_group, encode_command,
};

use crate::earlier::earlier;
use crate::samples::{Dice, TENANT, body, changed, header, name};

fn sweep() -> Change {
    Change::Sweep(Sweep { project: ProjectId(7), next: TaskNumber(9), since: EngineTime(300) })
}

#[test]
fn commands_come_back_with_headers_and_rows() {
    let (actor, id) = (name("w", 1), name("q", 2));
    let mut body = Vec::new();
    let named = CommandHeader {
        tenant: TenantId(3),
        kind: "lease",
        actor: Some(&actor),
        request_id: Some(&id),
        refusal: Some("PROJECT_PAUSED"),
    };
    encode_command(&mut body, &named, &[]);
    let mut dice = Dice(5);
    let changes: Vec<Changed> = (0..300).map(|_| changed(dice.change())).collect();
    let rows = encode_command(&mut body, &header(), &changes);

    let commands = decode_group(&body.into()).unwrap();
    assert_eq!(commands.len(), 2);
    assert_eq!(commands[0].tenant, TenantId(3));
    assert_eq!(commands[0].kind, "lease");
    assert_eq!(commands[0].actor.as_deref(), Some("w-1"));
    assert_eq!(commands[0].request_id.as_deref(), Some("q-2"));
    assert_eq!(commands[0].refusal.as_deref(), Some("PROJECT_PAUSED"));
    assert!(commands[0].rows.is_empty());
    assert_eq!(commands[1].actor, None);
    assert_eq!(commands[1].refusal, None);
    assert_eq!(commands[1].rows.len(), rows as usize);
}

#[test]
fn an_empty_body_is_a_group_without_commands() {
    assert_eq!(decode_group(&Bytes::new()).unwrap(), vec![]);
}

/// If this fails, old journals no longer read: raise the version instead.
#[test]
fn the_bytes_of_a_group_stay_what_they_are() {
    let body = body([sweep(), Change::SweepGone(ProjectId(8))]);
    let hex: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, GOLDEN);
}

const GOLDEN: &str = "013b00000001000000047469636b00000002000000a227d6e2\
    0109000000010e0000000709000000080910ac0282578db9\
    0209000000010e000000080c310c8b";

/// If this fails and the samples are the same, old values no longer read.
#[test]
fn the_bytes_of_every_kind_of_value_stay_what_they_are() {
    let mut dice = Dice(2026);
    let body = body((0..600).map(|_| dice.change()));
    assert_eq!(
        blake3::hash(&body).to_hex().as_str(),
        "9e35f2a9776afb33a2d71d0a0c6d0a578c9a81d38803661150a92be5890c0024"
    );
}

/// If this fails, rows written before their nouns grew would be written anew with
/// other bytes, and have another digest.
#[test]
fn what_came_later_leaves_no_trace_where_it_says_nothing() {
    let mut dice = Dice(2026);
    let body = body((0..600).map(|_| earlier(dice.change_of_old())));
    assert_eq!(
        blake3::hash(&body).to_hex().as_str(),
        "6712af32aa31475f72243a4bb9e3a5bb7e286e45f3573f60e5f5e01e21f41028"
    );
}

#[test]
fn any_changed_byte_is_seen() {
    let mut dice = Dice(11);
    let mut changes: Vec<Change> = (0..24).map(|_| dice.change()).collect();
    changes.retain(|change| !matches!(change, Change::Specs(_) | Change::Submission(_)));
    let body = body(changes);
    assert!(decode_group(&body).is_ok());
    for at in 0..body.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = body.to_vec();
            damaged[at] ^= flip;
            assert!(decode_group(&damaged.into()).is_err(), "byte {at} ^ {flip:#x}");
        }
    }
}

#[test]
fn a_body_that_is_cut_short_is_seen() {
    let body = body([sweep(), Change::SweepGone(ProjectId(8))]);
    for end in 1..body.len() {
        assert!(decode_group(&body.slice(..end)).is_err(), "cut at {end}");
    }
}

#[test]
fn a_later_version_is_named() {
    let mut body = body([sweep()]).to_vec();
    body[0] = 2;
    let error = decode_group(&body.into()).unwrap_err();
    assert_eq!(error, GroupError::Version { index: 0, version: 2 });
}

#[test]
fn a_row_of_an_unknown_kind_is_named() {
    let key = Key::new(TENANT, RowId::Sweep(ProjectId(7)));
    let mut body = body([sweep()]).to_vec();
    let at = body.windows(9).position(|bytes| bytes == key.as_bytes()).unwrap();
    body[at + 4] = 99;
    match decode_group(&body.into()).unwrap_err() {
        GroupError::Row { index: 0, row: 0, source: RowError::Key(source) } => {
            assert_eq!(source.to_string(), "the kind 99 of a row is unknown");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn values_are_slices_of_the_body() {
    let body = body([sweep()]);
    let Row::Put { value, .. } = decode_group(&body).unwrap().remove(0).rows.remove(0) else {
        panic!("a sweep is put");
    };
    assert!(body.as_ptr_range().contains(&value.as_ptr()));
}
