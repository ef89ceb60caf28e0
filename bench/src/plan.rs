//! How much of everything is measured.

use std::time::Duration;

/// How often, how many, how long.
pub(crate) struct Plan {
    /// Whether this is only to see that everything works.
    pub(crate) quick: bool,
    /// Times that each program is started.
    pub(crate) rounds: usize,
    /// Warm calls after each start.
    pub(crate) calls: usize,
    /// Starts without a database; each takes 2 s.
    pub(crate) unreachable: usize,
    /// Calls of one environment after which its memory is read.
    pub(crate) endurance: [usize; 2],
    /// Environments that work at once.
    pub(crate) environments: [usize; 3],
    /// How often they do, and how long each time.
    pub(crate) passes: usize,
    pub(crate) load: Duration,
    /// Blocks of calls of each page.
    pub(crate) page_blocks: usize,
    /// Warm calls whose instructions are counted.
    pub(crate) counted_calls: usize,
}

impl Plan {
    /// What the results are made of: six minutes.
    pub(crate) fn full() -> Self {
        Self {
            quick: false,
            rounds: 80,
            calls: 250,
            unreachable: 20,
            endurance: [1_000, 10_000],
            environments: [1, 4, 16],
            passes: 5,
            load: Duration::from_secs(2),
            page_blocks: 40,
            counted_calls: 50,
        }
    }

    /// Whether everything works: less than a minute.
    pub(crate) fn quick() -> Self {
        Self {
            quick: true,
            rounds: 3,
            calls: 50,
            unreachable: 1,
            endurance: [100, 1_000],
            environments: [1, 2, 4],
            passes: 1,
            load: Duration::from_millis(500),
            page_blocks: 3,
            counted_calls: 5,
        }
    }
}
