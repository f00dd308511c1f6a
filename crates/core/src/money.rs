//! Money: integers in micro-units of an ISO 4217 currency. Never a float.
//!
//! Not here: what is owed to whom (the ledger comes with the money issue).

use std::fmt;

/// Three capital letters of ISO 4217.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// US dollars: the currency of a project that names no reward.
    pub const USD: Currency = Currency(*b"USD");

    /// Takes a code of three letters `A-Z`; `None` for anything else.
    #[must_use]
    pub fn new(code: &str) -> Option<Currency> {
        let code: [u8; 3] = code.as_bytes().try_into().ok()?;
        code.iter().all(u8::is_ascii_uppercase).then_some(Currency(code))
    }

    /// The three letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("USD")
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount: 1 000 000 micros are one unit of the currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// Millionths of one unit; never negative in a reward.
    pub micros: i64,
    /// Of which currency.
    pub currency: Currency,
}

impl Money {
    /// No pay.
    pub const NONE: Money = Money { micros: 0, currency: Currency::USD };
}
