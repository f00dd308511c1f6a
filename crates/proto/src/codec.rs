//! How messages become bytes on a connection: prost, beginning with small buffers.
//!
//! tonic gives each open call two buffers of 8 KiB from the start, an idle stream as
//! well. Ours begin with half a KiB and grow with what they carry.
//!
//! Not here: the size a message may have (server).

use std::marker::PhantomData;

use prost::Message;
use tonic::codec::{BufferSettings, Codec as Coding};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

/// Bytes that a call's buffer begins with.
const BUFFER_BYTES: usize = 512;
/// tonic's own: an encoder hands over what it has once it is so much.
const YIELD_BYTES: usize = 32 * 1024;

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
    type Encoder = ProstEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> ProstEncoder<T> {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::new(BUFFER_BYTES, YIELD_BYTES))
    }

    fn decoder(&mut self) -> ProstDecoder<U> {
        ProstCodec::<T, U>::raw_decoder(BufferSettings::new(BUFFER_BYTES, YIELD_BYTES))
    }
}
