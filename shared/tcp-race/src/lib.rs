//! Connects to a host by whichever of its addresses answers first (RFC 8305).
//!
//! Addresses are tried one after the other, IPv6 and IPv4 in turn. The next one
//! starts after 250 ms, or as soon as one has failed, while the
//! others go on. One address that does not answer delays a connection by a
//! quarter of a second and no longer prevents it.
//!
//! ```no_run
//! # async fn connect() -> std::io::Result<tokio::net::TcpStream> {
//! let memory = tcp_race::Memory::default();
//! let mut race = tcp_race::Race::start("example.com", 443, &memory).await?;
//! let (stream, address) = race.next().await?;
//! // After what is done above TCP, such as TLS, has succeeded:
//! race.won(address);
//! # Ok(stream)
//! # }
//! ```

use std::collections::VecDeque;
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

/// Time after which the next address is tried as well, the "Connection Attempt
/// Delay" that RFC 8305 recommends.
const NEXT_ADDRESS_DELAY: Duration = Duration::from_millis(250);

/// Longest wait for TCP with one address. A lost packet is sent again after a
/// second.
const ADDRESS_TIMEOUT: Duration = Duration::from_millis(1_500);

/// What is said of an address that was silent.
const NO_ANSWER: &str = "no answer";

/// What earlier races for the same host have shown. It only decides about the
/// order: a name is resolved anew each time.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Known>);

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The last winner, which is tried first.
    good: Option<SocketAddr>,
    /// The last one that took TCP and was then of no use; it is tried last.
    bad: Option<SocketAddr>,
}

impl Memory {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One attempt to connect to a host.
///
/// When it is dropped the attempts that still run end, and the log names the
/// addresses that had not answered.
pub struct Race<'a, T: 'static = TcpStream> {
    memory: &'a Memory,
    waiting: VecDeque<SocketAddr>,
    running: JoinSet<(SocketAddr, io::Result<T>)>,
    /// When the running ones began.
    begun: Vec<(SocketAddr, Instant)>,
    next_start: Instant,
    /// The one that was connected to last, until it has won or lost.
    connected: Option<SocketAddr>,
    failures: Vec<String>,
}

impl<'a> Race<'a> {
    /// Resolves the name of the host. Nothing is connected to yet.
    ///
    /// # Errors
    /// That of the resolver.
    pub async fn start(host: &str, port: u16, memory: &'a Memory) -> io::Result<Self> {
        Ok(Self::between(lookup_host((host, port)).await?, memory))
    }

    /// The next connection. One that turns out to be of no use is reported with
    /// [`Race::lost`], and then the others go on.
    ///
    /// # Errors
    /// There is no address left. The text says of each what was wrong with it.
    pub async fn next(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        self.next_by(TcpStream::connect).await
    }
}

impl<'a, T: Send + 'static> Race<'a, T> {
    fn between(addresses: impl Iterator<Item = SocketAddr>, memory: &'a Memory) -> Self {
        Self {
            memory,
            // A winner is forgotten unless it wins again.
            waiting: order(addresses.collect(), std::mem::take(&mut memory.known())),
            running: JoinSet::new(),
            begun: Vec::new(),
            next_start: Instant::now(),
            connected: None,
            failures: Vec::new(),
        }
    }

    async fn next_by<F>(&mut self, connect: impl Fn(SocketAddr) -> F) -> io::Result<(T, SocketAddr)>
    where
        F: Future<Output = io::Result<T>> + Send + 'static,
    {
        loop {
            let is_due = self.running.is_empty() || self.next_start <= Instant::now();
            if is_due && let Some(address) = self.waiting.pop_front() {
                let attempt = timeout(ADDRESS_TIMEOUT, connect(address));
                self.running.spawn(async move {
                    let silent = |_| Err(io::Error::new(io::ErrorKind::TimedOut, NO_ANSWER));
                    (address, attempt.await.unwrap_or_else(silent))
                });
                let now = Instant::now();
                self.begun.push((address, now));
                self.next_start = now + NEXT_ADDRESS_DELAY;
            }
            let ended = tokio::select! {
                biased;
                ended = self.running.join_next() => ended,
                () = sleep_until(self.next_start), if !self.waiting.is_empty() => continue,
            };
            let Some(ended) = ended else {
                let failures = std::mem::take(&mut self.failures);
                return Err(io::Error::other(match failures.as_slice() {
                    [] => "the host has no address".to_owned(),
                    failures => failures.join(", "),
                }));
            };
            let (address, result) = ended.map_err(io::Error::other)?;
            self.begun.retain(|(begun, _)| *begun != address);
            match result {
                Ok(stream) => {
                    // Until it has won.
                    *self.memory.known() = Known {
                        good: None,
                        bad: Some(address),
                    };
                    self.connected = Some(address);
                    return Ok((stream, address));
                }
                Err(error) => {
                    self.failures.push(format!("{address}: {error}"));
                    self.next_start = Instant::now();
                }
            }
        }
    }

    /// Whether there is another address that can still be connected to.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        !self.waiting.is_empty() || !self.running.is_empty()
    }

    /// Says that a connection with this address was good for what is done above
    /// TCP: the next race begins with it.
    pub fn won(&mut self, address: SocketAddr) {
        self.connected = None;
        *self.memory.known() = Known {
            good: Some(address),
            bad: None,
        };
    }

    /// Ends the race after a connection that was of no use, which the caller
    /// reports.
    pub fn end(mut self) {
        self.connected = None;
    }

    /// Says that a connection with this address was of no use.
    pub fn lost(&mut self, address: SocketAddr, reason: impl Display) {
        self.connected = None;
        self.failures.push(format!("{address}: {reason}"));
    }
}

impl<T: 'static> Drop for Race<'_, T> {
    fn drop(&mut self) {
        // One that has connected since then was not silent.
        while let Some(ended) = self.running.try_join_next() {
            if let Ok((address, result)) = ended {
                self.begun.retain(|(begun, _)| *begun != address);
                let failure = result.err().map(|error| format!("{address}: {error}"));
                self.failures.extend(failure);
            }
        }
        let now = Instant::now();
        let silent = self
            .begun
            .iter()
            .filter(|(_, begun)| now - *begun >= NEXT_ADDRESS_DELAY);
        self.failures
            .extend(silent.map(|(address, _)| format!("{address}: {NO_ANSWER}")));
        let connected = self.connected.iter();
        self.failures
            .extend(connected.map(|address| format!("{address}: no answer above TCP")));
        if !self.failures.is_empty() {
            let addresses = self.failures.join(", ");
            tracing::info!(addresses, "addresses that cannot be connected to");
        }
    }
}

/// The order in which addresses are tried: the families in turn, beginning with
/// that of the resolver's first, each in the resolver's order.
fn order(addresses: Vec<SocketAddr>, known: Known) -> VecDeque<SocketAddr> {
    let begins_with_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == begins_with_ipv6);
    let ranked = |family: Vec<SocketAddr>| family.into_iter().enumerate();
    let mut order: Vec<_> = ranked(first).chain(ranked(second)).collect();
    order.sort_by_key(|&(rank, address)| {
        let (bad, good) = (known.bad == Some(address), known.good == Some(address));
        (bad, !good, rank)
    });
    order.into_iter().map(|(_, address)| address).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    type Attempts = Arc<Mutex<Vec<(SocketAddr, u128)>>>;

    /// What a stand-in for a network does with an address, by its port.
    const SILENT: u16 = 1;
    const REFUSED: u16 = 2;
    const GOOD: u16 = 3;

    fn v4(last: u8, port: u16) -> SocketAddr {
        ([192, 0, 2, last], port).into()
    }

    fn v6(last: u16, port: u16) -> SocketAddr {
        ([0x2001, 0xdb8, 0, 0, 0, 0, 0, last], port).into()
    }

    /// Runs a race, and lists its attempts with the milliseconds of each.
    async fn run(
        race: &mut Race<'_, ()>,
        attempts: &Attempts,
    ) -> (io::Result<SocketAddr>, Vec<(SocketAddr, u128)>) {
        attempts.lock().unwrap().clear();
        let begin = Instant::now();
        let won = race
            .next_by(|address| {
                let attempts = Arc::clone(attempts);
                async move {
                    let at = begin.elapsed().as_millis();
                    attempts.lock().unwrap().push((address, at));
                    match address.port() {
                        SILENT => std::future::pending().await,
                        REFUSED => Err(io::ErrorKind::ConnectionRefused.into()),
                        _ => Ok(()),
                    }
                }
            })
            .await;
        let attempts = attempts.lock().unwrap().clone();
        (won.map(|((), address)| address), attempts)
    }

    #[tokio::test(start_paused = true)]
    async fn the_fourth_address_is_tried_after_750_ms_and_first_the_next_time() {
        let addresses = [v4(1, SILENT), v4(2, SILENT), v4(3, SILENT), v4(4, GOOD)];
        let (memory, attempts) = (Memory::default(), Attempts::default());
        let mut race = Race::between(addresses.into_iter(), &memory);
        let (won, tried) = run(&mut race, &attempts).await;
        assert_eq!(won.unwrap(), addresses[3]);
        let expected = addresses.into_iter().zip([0, 250, 500, 750]);
        assert_eq!(tried, expected.collect::<Vec<_>>());
        race.won(addresses[3]);

        let mut race = Race::between(addresses.into_iter(), &memory);
        let (won, tried) = run(&mut race, &attempts).await;
        assert_eq!(won.unwrap(), addresses[3]);
        assert_eq!(tried, [(addresses[3], 0)]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_address_is_tried_as_soon_as_one_failed() {
        let addresses = [v4(1, REFUSED), v4(2, SILENT), v4(3, REFUSED), v4(4, GOOD)];
        let (memory, attempts) = (Memory::default(), Attempts::default());
        let mut race = Race::between(addresses.into_iter(), &memory);
        let (won, tried) = run(&mut race, &attempts).await;
        assert_eq!(won.unwrap(), addresses[3]);
        let expected = addresses.into_iter().zip([0, 0, 250, 250]);
        assert_eq!(tried, expected.collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn the_error_names_each_address_and_what_was_wrong_with_it() {
        let addresses = [v6(1, SILENT), v4(2, REFUSED)];
        let (memory, attempts) = (Memory::default(), Attempts::default());
        let begin = Instant::now();
        let mut race = Race::between(addresses.into_iter(), &memory);
        let (won, _) = run(&mut race, &attempts).await;
        let error = won.unwrap_err().to_string();
        assert_eq!(
            error,
            "192.0.2.2:2: connection refused, [2001:db8::1]:1: no answer"
        );
        assert_eq!(begin.elapsed(), ADDRESS_TIMEOUT);

        let mut race = Race::between(std::iter::empty(), &memory);
        let (won, tried) = run(&mut race, &attempts).await;
        assert_eq!(won.unwrap_err().to_string(), "the host has no address");
        assert!(tried.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_of_no_use_above_tcp_makes_way_and_is_last_the_next_time() {
        let addresses = [v4(1, GOOD), v4(2, REFUSED), v4(3, GOOD), v4(4, GOOD)];
        let (memory, attempts) = (Memory::default(), Attempts::default());
        let mut race = Race::between(addresses.into_iter(), &memory);
        assert_eq!(run(&mut race, &attempts).await.0.unwrap(), addresses[0]);
        race.lost(addresses[0], "no TLS");
        assert!(race.goes_on());
        let (won, tried) = run(&mut race, &attempts).await;
        assert_eq!(won.unwrap(), addresses[2]);
        assert_eq!(tried.len(), 2);
        race.won(addresses[2]);
        drop(race);

        // The winner fails in its turn: it is forgotten.
        for expected in [addresses[2], addresses[0]] {
            let mut race = Race::between(addresses.into_iter(), &memory);
            assert_eq!(run(&mut race, &attempts).await.0.unwrap(), expected);
        }
        let ports = |order: VecDeque<SocketAddr>| order.into_iter().collect::<Vec<_>>();
        let order = ports(order(addresses.to_vec(), *memory.known()));
        assert_eq!(
            order,
            [addresses[1], addresses[2], addresses[3], addresses[0]]
        );
    }

    #[test]
    fn families_are_tried_in_turn() {
        let (a, b, c) = (v6(1, GOOD), v6(2, GOOD), v6(3, GOOD));
        let (x, y) = (v4(1, GOOD), v4(2, GOOD));
        for (addresses, known, expected) in [
            (vec![a, b, c, x, y], Known::default(), [a, x, b, y, c]),
            (vec![x, y, a, b, c], Known::default(), [x, a, y, b, c]),
            (
                vec![a, b, c, x, y],
                Known {
                    good: Some(y),
                    bad: Some(a),
                },
                [y, x, b, c, a],
            ),
            // A name may have moved.
            (
                vec![a, b, c, x, y],
                Known {
                    good: Some(v4(9, GOOD)),
                    bad: None,
                },
                [a, x, b, y, c],
            ),
        ] {
            assert_eq!(order(addresses, known), expected);
        }
    }
}
