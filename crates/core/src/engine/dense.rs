//! Rooms by the dense numbers that the daemon gave out: one step to each of them, and
//! all in the order of their numbers.
//!
//! Numbers are never given twice, so a room that is gone leaves eight bytes.
//!
//! Not here: what stands in a room (`state.rs`).

use std::marker::PhantomData;
use std::ops::Index;

use crate::{ProjectId, WorkerId};

/// A number that grows by one with each room.
pub(crate) trait Dense: Copy {
    /// Where its room stands.
    fn place(self) -> usize;
    /// The number of the room that stands there.
    fn of_place(place: usize) -> Self;
}

/// Rooms by number.
#[derive(Debug)]
pub(crate) struct Rooms<K, R> {
    rooms: Vec<Option<Box<R>>>,
    len: usize,
    numbers: PhantomData<K>,
}

impl<K, R> Default for Rooms<K, R> {
    fn default() -> Rooms<K, R> {
        Rooms { rooms: Vec::new(), len: 0, numbers: PhantomData }
    }
}

impl<K: Dense, R> Rooms<K, R> {
    pub(crate) fn get(&self, id: &K) -> Option<&R> {
        self.rooms.get(id.place())?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, id: &K) -> Option<&mut R> {
        self.rooms.get_mut(id.place())?.as_deref_mut()
    }

    pub(crate) fn contains_key(&self, id: &K) -> bool {
        self.get(id).is_some()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns the room that stood there before.
    pub(crate) fn insert(&mut self, id: K, room: R) -> Option<R> {
        let place = id.place();
        if self.rooms.len() <= place {
            self.rooms.resize_with(place + 1, || None);
        }
        let before = self.rooms[place].replace(Box::new(room));
        self.len += usize::from(before.is_none());
        before.map(|room| *room)
    }

    pub(crate) fn remove(&mut self, id: &K) -> Option<R> {
        let room = self.rooms.get_mut(id.place())?.take()?;
        self.len -= 1;
        Some(*room)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, &R)> {
        let rooms = self.rooms.iter().enumerate();
        rooms.filter_map(|(place, room)| Some((K::of_place(place), room.as_deref()?)))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = K> {
        self.iter().map(|(id, _)| id)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &R> {
        self.rooms.iter().filter_map(Option::as_deref)
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut R> {
        self.rooms.iter_mut().filter_map(Option::as_deref_mut)
    }
}

impl<K: Dense, R> Index<&K> for Rooms<K, R> {
    type Output = R;

    fn index(&self, id: &K) -> &R {
        self.get(id).expect("a room that is known to be there")
    }
}

impl Dense for ProjectId {
    fn place(self) -> usize {
        self.0 as usize
    }

    fn of_place(place: usize) -> ProjectId {
        ProjectId(u32::try_from(place).expect("places come from numbers"))
    }
}

impl Dense for WorkerId {
    fn place(self) -> usize {
        self.0 as usize
    }

    fn of_place(place: usize) -> WorkerId {
        WorkerId(u32::try_from(place).expect("places come from numbers"))
    }
}
