//! One write for what many calls say at once.
//!
//! HTTP/2 lets many calls share a connection, and each of them asks for a write of its
//! own as soon as it has something to say: where a group of answers becomes durable, that
//! is a system call an answer. Here a write waits for one round of the scheduler, in
//! which the other calls say theirs, and then takes all of it along. Where nobody else
//! says anything the waiting is given up, and only tried again now and then.
//!
//! Not here: what is written (HTTP/2, by hyper and h2), reading, which passes through.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

/// Bytes that wait at most; more are written at once.
const HELD_MAX: usize = 64 * 1024;
/// What a wait that was worth it adds to the credit, what one that was not takes off.
const WORTH: u8 = 4;
/// The most credit there is.
const CREDIT_MAX: u8 = 16;
/// Without credit, one write in so many waits all the same.
const TRIED_EVERY: u8 = 16;

/// A connection whose writes are gathered.
#[derive(Debug)]
pub struct Gathered<S> {
    inner: S,
    held: BytesMut,
    state: State,
    credit: u8,
    untried: u8,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Nobody has asked for a write.
    Idle,
    /// Others may say something; so many bytes were held when that began.
    Waiting(usize),
    /// What is held goes out as fast as the peer takes it.
    Writing,
}

impl<S> Gathered<S> {
    /// Gathers what is written to `inner`.
    pub fn new(inner: S) -> Gathered<S> {
        Gathered { inner, held: BytesMut::new(), state: State::Idle, credit: 0, untried: 0 }
    }

    /// Whether to see what others have to say before this is written.
    fn is_worth_waiting(&mut self) -> bool {
        if self.credit > 0 {
            return true;
        }
        self.untried = (self.untried + 1) % TRIED_EVERY;
        self.untried == 0
    }

    fn learn(&mut self, had: usize) {
        let others_spoke = self.held.len() > had;
        self.credit = match others_spoke {
            true => (self.credit + WORTH).min(CREDIT_MAX),
            false => self.credit.saturating_sub(1),
        };
    }
}

impl<S: AsyncWrite + Unpin> Gathered<S> {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.held))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.held.advance(written);
        }
        self.state = State::Idle;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let size: usize = slices.iter().map(|slice| slice.len()).sum();
        if this.held.len() + size > HELD_MAX {
            ready!(this.poll_drain(cx))?;
        }
        if size > HELD_MAX {
            return Pin::new(&mut this.inner).poll_write_vectored(cx, slices);
        }
        slices.iter().for_each(|slice| this.held.extend_from_slice(slice));
        Poll::Ready(Ok(size))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.held.is_empty() {
            let state = this.state;
            match state {
                State::Idle if this.is_worth_waiting() => {
                    this.state = State::Waiting(this.held.len());
                    // Behind everybody who is ready to run.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                State::Waiting(had) => this.learn(had),
                State::Idle | State::Writing => {}
            }
            this.state = State::Writing;
            ready!(this.poll_drain(cx))?;
        }
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.inner).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(cx, buffer)
    }
}

impl<S: Connected> Connected for Gathered<S> {
    type ConnectInfo = S::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.inner.connect_info()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Takes so many bytes at a time, and after each time nothing once.
    struct Peer {
        writes: Vec<Vec<u8>>,
        takes: usize,
        is_slow: bool,
        rests: bool,
        is_shut: bool,
    }

    impl Peer {
        fn new(takes: usize, is_slow: bool) -> Gathered<Peer> {
            let (writes, rests, is_shut) = (Vec::new(), false, false);
            Gathered::new(Peer { writes, takes, is_slow, rests, is_shut })
        }
    }

    impl AsyncWrite for Peer {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.rests = self.is_slow && !self.rests;
            if self.rests {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let taken = bytes.len().min(self.takes);
            self.writes.push(bytes[..taken].to_vec());
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.is_shut = true;
            Poll::Ready(Ok(()))
        }
    }

    fn say(to: &mut Gathered<Peer>, bytes: &[u8]) {
        let mut cx = Context::from_waker(Waker::noop());
        let said = Pin::new(to).poll_write(&mut cx, bytes);
        assert!(matches!(said, Poll::Ready(Ok(n)) if n == bytes.len()), "{said:?}");
    }

    /// Whether all is with the peer.
    fn flush(to: &mut Gathered<Peer>) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(to).poll_flush(&mut cx).is_ready()
    }

    /// Says things until a write waits.
    fn until_it_waits(to: &mut Gathered<Peer>) {
        for _ in 0..=TRIED_EVERY {
            say(to, b"-");
            if !flush(to) {
                return;
            }
        }
        panic!("no write ever waited");
    }

    #[test]
    fn what_others_say_meanwhile_goes_along() {
        let mut both = Peer::new(usize::MAX, false);
        until_it_waits(&mut both);
        let before = both.inner.writes.len();
        say(&mut both, b"a");
        say(&mut both, b"b");
        assert!(flush(&mut both));
        assert_eq!(both.inner.writes[before..], [b"-ab".to_vec()]);
        // It was worth it: the next one waits at once.
        say(&mut both, b"c");
        assert!(!flush(&mut both));
    }

    #[test]
    fn who_is_alone_waits_seldom() {
        let mut alone = Peer::new(usize::MAX, false);
        until_it_waits(&mut alone);
        say(&mut alone, b"once there was another");
        assert!(flush(&mut alone));
        let mut waits = 0;
        for _ in 0..160 {
            say(&mut alone, b".");
            if !flush(&mut alone) {
                waits += 1;
                assert!(flush(&mut alone), "it waits for one round and no more");
            }
        }
        assert!((8..=16).contains(&waits), "{waits} of 160 writes waited");
    }

    #[test]
    fn a_slow_peer_gets_every_byte_in_its_order() {
        let mut slow = Peer::new(3, true);
        let mut said = Vec::new();
        for n in 0..100_u8 {
            let word = vec![n; usize::from(n % 7) + 1];
            say(&mut slow, &word);
            said.extend(word);
            flush(&mut slow);
        }
        let rounds = (0..1_000).find(|_| flush(&mut slow));
        assert!(rounds.is_some(), "it never came to an end");
        assert_eq!(slow.inner.writes.concat(), said);
    }

    #[test]
    fn what_is_too_much_to_hold_is_written_behind_what_was_held() {
        let mut much = Peer::new(usize::MAX, false);
        say(&mut much, b"first");
        let large = vec![7; HELD_MAX + 1];
        say(&mut much, &large);
        assert_eq!(much.inner.writes, [b"first".to_vec(), large]);
        say(&mut much, &vec![8; HELD_MAX]);
        assert_eq!(much.inner.writes.len(), 2, "so much is held");
    }

    #[test]
    fn the_end_takes_along_what_was_held() {
        let mut last = Peer::new(usize::MAX, false);
        say(&mut last, b"bye");
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut last).poll_shutdown(&mut cx).is_ready());
        assert_eq!(last.inner.writes, [b"bye".to_vec()]);
        assert!(last.inner.is_shut);
    }
}
