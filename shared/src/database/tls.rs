//! TLS with the server, and SCRAM's first message in the flight of the startup.
//!
//! With `channel_binding=require` SCRAM-SHA-256-PLUS is all that the driver
//! accepts, so the server's offer of it need not be waited for. The stream tells
//! the driver of that offer at once, sends the driver's answer together with its
//! startup message, and takes the real offer out of what the server sends. That
//! saves a round trip. Nothing else changes: the driver verifies the server's
//! signature, which covers the certificate.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_util::io::InspectReader;

/// `AuthenticationSASL` with one mechanism.
const OFFER: &[u8] = b"R\0\0\0\x1c\0\0\0\x0aSCRAM-SHA-256-PLUS\0\0";

/// Longest message that is taken for an offer, in bytes.
const MAX_OFFER: usize = 1024;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It did not go on, and was given up.
    Silent,
    /// TLS has begun, and the server has sent nothing.
    Begun,
    /// The server has begun to answer.
    Heard,
    /// TLS is established.
    Encrypted,
    /// The server offered something else than was assumed. Where nothing is
    /// assumed the driver can say what is wrong.
    OtherOffer,
    /// The server answered as it would have without an assumption.
    Answered,
}

/// Sets up TLS on the driver's behalf.
pub(super) struct Connector {
    pub(super) tls: postgres_native_tls::TlsConnector,
    /// Whether an offer of SCRAM-SHA-256-PLUS is assumed.
    pub(super) early_sasl: bool,
    pub(super) stage: watch::Sender<Stage>,
    /// Whether a shutdown waits until the server has closed the connection.
    pub(super) awaits_end: bool,
}

type Inspected = InspectReader<TcpStream, Box<dyn FnMut(&[u8]) + Send>>;

impl TlsConnect<TcpStream> for Connector {
    type Stream = Stream;
    type Error = native_tls::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, native_tls::Error>> + Send>>;

    fn connect(self, stream: TcpStream) -> Self::Future {
        let stage = self.stage.clone();
        let inspect = move |bytes: &[u8]| {
            if !bytes.is_empty() && *stage.borrow() == Stage::Begun {
                stage.send_replace(Stage::Heard);
            }
        };
        let stream = Inspected::new(stream, Box::new(inspect));
        Box::pin(async move {
            let inner = self.tls.connect(stream).await?;
            self.stage.send_replace(Stage::Encrypted);
            Ok(Stream {
                inner,
                stage: self.stage,
                sasl: if self.early_sasl {
                    Sasl::Assumed { told: 0 }
                } else {
                    Sasl::Past
                },
                kept: Vec::new(),
                awaits_end: self.awaits_end,
            })
        })
    }
}

/// A TLS connection to Postgres.
pub(super) struct Stream {
    inner: postgres_native_tls::TlsStream<Inspected>,
    stage: watch::Sender<Stage>,
    sasl: Sasl,
    /// What was written and not yet sent; later what was received and not yet
    /// read.
    kept: Vec<u8>,
    awaits_end: bool,
}

#[derive(Clone, Copy)]
enum Sasl {
    /// The driver has read this many bytes of [`OFFER`]. What it writes is kept
    /// until it answers that.
    Assumed { told: usize },
    /// Startup message and answer are sent, and the server's offer is to come.
    Sent,
    /// Bytes pass as they are.
    Past,
}

impl TlsStream for Stream {
    fn channel_binding(&self) -> ChannelBinding {
        self.inner.channel_binding()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Sasl::Assumed { told } = &mut this.sasl {
            if *told == OFFER.len() {
                return Pin::new(&mut this.inner).poll_read(context, buffer);
            }
            let length = buffer.remaining().min(OFFER.len() - *told);
            buffer.put_slice(&OFFER[*told..*told + length]);
            *told += length;
            return Poll::Ready(Ok(()));
        }
        while matches!(this.sasl, Sasl::Sent) {
            match length_of_offer(&this.kept) {
                Ok(Some(length)) => {
                    this.stage.send_replace(Stage::Answered);
                    this.kept.drain(..length);
                    this.sasl = Sasl::Past;
                }
                Ok(None) => {
                    let mut bytes = [0; 512];
                    let mut more = ReadBuf::new(&mut bytes);
                    ready!(Pin::new(&mut this.inner).poll_read(context, &mut more))?;
                    if more.filled().is_empty() {
                        return Poll::Ready(Ok(()));
                    }
                    this.kept.extend_from_slice(more.filled());
                }
                Err(error) => {
                    this.stage.send_replace(Stage::OtherOffer);
                    return Poll::Ready(Err(error));
                }
            }
        }
        if this.kept.is_empty() {
            return Pin::new(&mut this.inner).poll_read(context, buffer);
        }
        let length = buffer.remaining().min(this.kept.len());
        buffer.put_slice(&this.kept[..length]);
        this.kept.drain(..length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if matches!(self.sasl, Sasl::Assumed { .. }) {
            self.kept.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Sasl::Assumed { told } = this.sasl {
            if told < OFFER.len() {
                return Poll::Ready(Ok(()));
            }
            while !this.kept.is_empty() {
                let sent = ready!(Pin::new(&mut this.inner).poll_write(context, &this.kept))?;
                this.kept.drain(..sent);
            }
            this.sasl = Sasl::Sent;
        }
        Pin::new(&mut this.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.awaits_end {
            let mut byte = [0];
            let mut buffer = ReadBuf::new(&mut byte);
            // An error means the same as an end: the server has hung up.
            let read = ready!(Pin::new(&mut self.inner).poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

/// The length of the offer that the server's answer begins with, and `None`
/// while there are too few bytes to tell. It is 0 for an error, which is for the
/// driver: a server that refuses a startup message has not looked further.
fn length_of_offer(received: &[u8]) -> io::Result<Option<usize>> {
    let other = Err(io::Error::other("the server offers no channel binding"));
    match received {
        [] => Ok(None),
        [b'E', ..] => Ok(Some(0)),
        [b'R', a, b, c, d, ..] => {
            let length = 1 + u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            if !(9..=MAX_OFFER).contains(&length) {
                return other;
            }
            let Some(body) = received.get(5..length) else {
                return Ok(None);
            };
            let (number, names) = body.split_at(4);
            let mut names = names.split(|byte| *byte == 0);
            if number == &OFFER[5..9] && names.any(|name| name == b"SCRAM-SHA-256-PLUS") {
                Ok(Some(length))
            } else {
                other
            }
        }
        [b'R', ..] => Ok(None),
        _ => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind], &length[..], body].concat()
    }

    #[test]
    fn an_offer_is_told_from_anything_else_however_it_arrives() {
        let both = message(b'R', b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
        for offer in [OFFER, &both] {
            let followed = [offer, b"R more"].concat();
            let whole = Some(offer.len());
            assert_eq!(length_of_offer(offer).unwrap(), whole);
            assert_eq!(length_of_offer(&followed).unwrap(), whole);
            for end in 0..offer.len() {
                assert_eq!(length_of_offer(&offer[..end]).unwrap(), None, "{end}");
            }
        }
        assert_eq!(length_of_offer(b"E\0").unwrap(), Some(0));
        for other in [
            message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"),
            message(b'R', b"\0\0\0\x0aSCRAM-SHA-256-PLUS-NOT\0\0"),
            message(b'R', b"\0\0\0\0"),
            message(b'R', b"\0\0\0\x03SCRAM-SHA-256-PLUS\0\0"),
            message(b'R', b"\0\0\0"),
            message(b'N', b"S"),
            b"R\xff\xff\xff\xff".to_vec(),
            b"HTTP/1.1".to_vec(),
        ] {
            assert!(length_of_offer(&other).is_err(), "{other:?}");
        }
    }
}
