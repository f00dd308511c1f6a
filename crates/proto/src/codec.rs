//! How messages become bytes on a connection: prost, beginning with small buffers.
//!
//! tonic gives each open call two buffers of 8 KiB from the start, an idle stream as
//! well. Ours begin with half a KiB; one that takes message after message of a stream
//! grows at once to what is handed over at a time, rather than by doubling.
//!
//! Not here: the size a message may have (server).

use std::marker::PhantomData;

use prost::Message;
use prost::bytes::{BufMut as _, BytesMut};
use tonic::Status;
use tonic::codec::{BufferSettings, Codec as Coding, EncodeBuf, Encoder as Encoding};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

/// Bytes that a call's buffer begins with.
const BUFFER_BYTES: usize = 512;
/// tonic's own: an encoder hands over what it has once it is so much.
const YIELD_BYTES: usize = 32 * 1024;
/// So much of a stream in one buffer: more will follow.
const STREAM_BYTES: usize = 2 * 1024;

/// Encodes `T`, decodes `U`.
#[derive(Debug, Clone)]
pub struct Codec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Codec<T, U> {
    fn default() -> Codec<T, U> {
        Codec(PhantomData)
    }
}

impl<T, U> Coding for Codec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = Encoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> Encoder<T> {
        Encoder(ProstCodec::<T, U>::raw_encoder(BufferSettings::new(BUFFER_BYTES, YIELD_BYTES)))
    }

    fn decoder(&mut self) -> ProstDecoder<U> {
        ProstCodec::<T, U>::raw_decoder(BufferSettings::new(BUFFER_BYTES, YIELD_BYTES))
    }
}

/// Encodes `T` behind what the buffer has.
#[derive(Debug)]
pub struct Encoder<T>(ProstEncoder<T>);

impl<T: Message> Encoding for Encoder<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, item: T, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        // tonic does not say what the buffer has: as much as an empty one could take more.
        let has = BytesMut::new().remaining_mut().saturating_sub(buffer.remaining_mut());
        if has < STREAM_BYTES {
            return self.0.encode(item, buffer);
        }
        buffer.reserve(YIELD_BYTES.saturating_sub(has) + STREAM_BYTES);
        // There is room as a rule, and how much is needed is another pass over the message.
        item.encode_raw(buffer);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}
