//! How much of everything is measured.

/// How often and how many.
pub(crate) struct Plan {
    /// Whether this is only to see that everything works.
    pub(crate) quick: bool,
    /// Times that each program is started.
    pub(crate) rounds: usize,
    /// Warm calls after each start.
    pub(crate) calls: usize,
    /// Calls of each part of the floor after each start.
    pub(crate) floor_calls: usize,
    /// Warm calls whose instructions are counted.
    pub(crate) counted_calls: usize,
}

impl Plan {
    /// What the results are made of: less than ten minutes.
    pub(crate) fn full() -> Self {
        Self {
            quick: false,
            rounds: 40,
            calls: 1_000,
            floor_calls: 300,
            counted_calls: 50,
        }
    }

    /// Whether everything works: less than a minute.
    pub(crate) fn quick() -> Self {
        Self {
            quick: true,
            rounds: 3,
            calls: 100,
            floor_calls: 50,
            counted_calls: 5,
        }
    }
}
