//! What is measured in turns, in the order of its turn: a peer, then piecework at the same job.

use anyhow::Context;

use crate::compare::figures::Reading;
use crate::compare::options::Options;

/// What a driver of `peers` needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Redis,
    Postgres,
    /// Nothing: what gRPC and the disk allow.
    Floor,
}

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// By `peers`.
    Peer(Peer),
    /// By `piecework bench`.
    Piecework,
}

/// What ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    /// The clock.
    Seconds,
    /// What its words say.
    Told,
}

/// How many rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rounds {
    All,
    /// Half of them: it takes long to begin.
    Half,
}

/// What a measure takes from another, which runs before it.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) from: &'static str,
    option: &'static str,
    of: fn(&Reading) -> Option<f64>,
}

/// One measure.
#[derive(Debug)]
pub(crate) struct Measure {
    /// As it is called in the table.
    pub(crate) name: &'static str,
    pub(crate) whose: Whose,
    /// With sizes as `Options::sized` has them.
    words: &'static str,
    length: Length,
    rounds: Rounds,
    pub(crate) given: Option<Given>,
}

const fn by_peers(name: &'static str, peer: Peer, words: &'static str) -> Measure {
    Measure { whose: Whose::Peer(peer), ..by_bench(name, words) }
}

const fn by_bench(name: &'static str, words: &'static str) -> Measure {
    let (whose, length, rounds) = (Whose::Piecework, Length::Seconds, Rounds::All);
    Measure { name, whose, words, length, rounds, given: None }
}

/// With so many tasks open all the time: to create them takes long.
const fn held_open(name: &'static str, words: &'static str) -> Measure {
    Measure { rounds: Rounds::Half, ..by_bench(name, words) }
}

/// Half of what was reached at its best.
const HALF_RATE: Option<Given> = Some(Given {
    from: "cycle-64",
    option: "--rate",
    of: |cycle| Some((cycle.rate / 2.0).max(1.0)),
});

/// As many bytes to a message.
const SAME_BYTES: Option<Given> =
    Some(Given { from: "results", option: "--bytes", of: |results| results.bytes_each });

/// All of them.
pub(crate) const MEASURES: [Measure; 24] = [
    by_peers("redis-64", Peer::Redis, "redis-list --clients 64"),
    by_bench("cycle-64", "cycle --clients 64 --connections 4"),
    by_peers("redis-64-pipelined", Peer::Redis, "redis-list --clients 64 --pipelined"),
    by_bench("cycle-256", "cycle --clients 256 --connections 4"),
    by_peers("redis-16", Peer::Redis, "redis-list --clients 16"),
    by_bench("cycle-16", "cycle --clients 16 --connections 4"),
    by_peers("postgres-100", Peer::Postgres, "pg-100 --clients 16"),
    by_bench("bundle-100", "bundle --clients 16 --size 100"),
    by_peers("postgres-100-leased", Peer::Postgres, "pg-100 --clients 16 --lease-first"),
    by_bench("stream-64", "stream --workers 64 --streams 4 --capacity 8"),
    by_bench(
        "stream-matched",
        "stream --workers 64 --streams 4 --capacity 8 --overlap 3 --requirements 3 --projects 1000",
    ),
    by_peers("echo-1", Peer::Floor, "echo --clients 1"),
    by_peers("fdatasync", Peer::Floor, "fdatasync"),
    by_bench("cycle-1", "cycle --clients 1"),
    by_peers("postgres-intake", Peer::Postgres, "pg-intake --clients 16"),
    Measure { length: Length::Told, ..by_bench("intake", "intake --tasks {tasks}") },
    Measure { length: Length::Told, ..by_bench("results", "results --tasks {tenth}") },
    Measure {
        length: Length::Told,
        given: SAME_BYTES,
        ..by_peers("stream-floor", Peer::Floor, "stream --messages {tenth}")
    },
    Measure {
        given: HALF_RATE,
        ..by_bench(
            "mixed-quiet",
            "mixed --clients 64 --connections 4 --intake-rate 0 --set segment_bytes=4194304 \
             --set overlay_bytes=1073741824 --set checkpoint_every_ms=86400000 \
             --set snapshot_journal_bytes=0",
        )
    },
    Measure {
        given: HALF_RATE,
        ..by_bench(
            "mixed-busy",
            "mixed --clients 64 --connections 4 --intake-rate 0 --set segment_bytes=4194304 \
             --set overlay_bytes=1073741824 --set checkpoint_every_ms=1 \
             --set snapshot_journal_bytes=4194304",
        )
    },
    held_open("stream-10k", "stream --workers 64 --streams 4 --top-up --open 10000"),
    held_open("stream-open", "stream --workers 64 --streams 4 --top-up --open {tasks}"),
    held_open(
        "stream-10k-random",
        "stream --workers 64 --streams 4 --top-up --open 10000 --priorities random",
    ),
    held_open(
        "stream-open-random",
        "stream --workers 64 --streams 4 --top-up --open {tasks} --priorities random",
    ),
];

impl Measure {
    /// The measure of this name.
    #[cfg(test)]
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        MEASURES.iter().find(|measure| measure.name == name)
    }

    /// In how many of the rounds it is taken.
    pub(crate) fn rounds(&self, options: &Options) -> u32 {
        match self.rounds {
            Rounds::All => options.rounds,
            Rounds::Half => (options.rounds / 2).max(1),
        }
    }

    /// What it is called with, except for what only the run knows: server, directories.
    /// `given`: what the measure told from which it takes something.
    ///
    /// # Errors
    /// It did not tell that.
    pub(crate) fn words(
        &self,
        options: &Options,
        given: Option<&Reading>,
    ) -> anyhow::Result<Vec<String>> {
        let mut words = match self.whose {
            Whose::Peer(_) => Vec::new(),
            Whose::Piecework => vec!["bench".to_owned()],
        };
        words.extend(options.sized(self.words).split(' ').map(str::to_owned));
        if let Some(Given { from, option, of }) = &self.given {
            let value = given.and_then(of).with_context(|| format!("{from} was not measured"))?;
            words.extend([(*option).to_owned(), format!("{value:.0}")]);
        }
        if self.length == Length::Seconds {
            words.extend(["--seconds".to_owned(), options.seconds.to_string()]);
        }
        words.extend(["-o", "json"].map(str::to_owned));
        Ok(words)
    }

    /// Whether it writes to a directory that it is told.
    pub(crate) fn dir_option(&self) -> Option<&'static str> {
        match self.whose {
            Whose::Piecework => Some("--data-dir"),
            Whose::Peer(Peer::Floor) if self.words == "fdatasync" => Some("--dir"),
            Whose::Peer(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(name: &str, given: Option<&Reading>) -> anyhow::Result<String> {
        let options = Options::parse(&["--short"]).expect("is an option");
        let measure = Measure::named(name).expect("is there");
        measure.words(&options, given).map(|words| words.join(" "))
    }

    #[test]
    fn a_measure_is_called_as_a_person_would() {
        let words = |name| words(name, None).expect("nothing is given");
        let cycle = "bench cycle --clients 64 --connections 4 --seconds 4 -o json";
        assert_eq!(words("cycle-64"), cycle);
        assert_eq!(words("redis-16"), "redis-list --clients 16 --seconds 4 -o json");
        assert_eq!(words("intake"), "bench intake --tasks 1000000 -o json");
        assert!(words("stream-open").contains("--top-up --open 1000000 --seconds 4"));
    }

    #[test]
    fn what_another_measure_told_is_taken_from_it() {
        let results = Reading::of(&serde_json::json!({
            "results_per_second": 1, "p50_us": 1, "p99_us": 1, "results": 10, "bytes": 3_070,
        }));
        let stream = "stream --messages 100000 --bytes 307 -o json";
        assert_eq!(words("stream-floor", results.as_ref()).expect("is given"), stream);
        let error = words("stream-floor", None).expect_err("is not given").to_string();
        assert_eq!(error, "results was not measured");
        for (at, measure) in MEASURES.iter().enumerate() {
            let Some(given) = &measure.given else { continue };
            assert!(MEASURES[..at].iter().any(|other| other.name == given.from), "{}", given.from);
        }
    }

    #[test]
    fn names_are_unique() {
        for measure in &MEASURES {
            let named = MEASURES.iter().filter(|other| other.name == measure.name);
            assert_eq!(named.count(), 1, "{}", measure.name);
        }
    }

    #[test]
    fn whoever_writes_is_told_where() {
        let told: Vec<_> = MEASURES.iter().filter_map(Measure::dir_option).collect();
        let ours = MEASURES.iter().filter(|measure| measure.whose == Whose::Piecework).count();
        assert_eq!(told.iter().filter(|option| **option == "--data-dir").count(), ours);
        assert_eq!(told.len(), ours + 1);
    }
}
