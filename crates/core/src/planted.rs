//! Known mistakes that can be switched on, to prove that the tests would find them.
//!
//! Only in a build with the feature `planted`, which the simulator asks for and
//! the daemon never does; in any other build `is` is the constant `false` and the
//! mistakes are not compiled in. One at a time, for the whole process.
//!
//! Not here: the mistakes themselves, which stand where they would be made.

/// Declares the mistakes once: names on the command line, and what goes wrong.
macro_rules! mistakes {
    ($($variant:ident $name:literal $what:literal,)*) => {
        /// A mistake that a build with the feature `planted` can make on purpose.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mistake {
            $(#[doc = $what] $variant,)*
        }

        impl Mistake {
            /// All of them, in the order of their declaration.
            pub const ALL: &[Mistake] = &[$(Mistake::$variant,)*];

            /// Its name on the command line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Mistake::$variant => $name,)* }
            }

            /// What goes wrong, as one sentence.
            #[must_use]
            pub const fn what(self) -> &'static str {
                match self { $(Mistake::$variant => $what,)* }
            }
        }
    };
}

mistakes! {
    // Decisions.
    ExpireFinished "expire-finished" "An expiry overwrites a lease that was submitted.",
    AcceptEnded "accept-ended" "An answer under a returned or revoked lease counts.",
    ExpireEarly "expire-early" "A lease expires one millisecond before its deadline.",
    ForgetAnswered "forget-answered" "A worker gets a task again that it has answered.",
    SequenceGap "sequence-gap" "A task that ends skips a sequence of its project's log.",
    LateOvershoot "late-overshoot" "A late answer counts although its place was taken.",
    LateWindowIgnored "late-window-ignored" "A late answer counts after its window.",
    SuspendKeepsLeases "suspend-keeps-leases" "A suspension leaves the worker's live leases.",
    ExtendRevives "extend-revives" "Extending an expired lease makes it live again.",
    LeaseRetryGrants "lease-retry-grants" "A retried Lease call grants once more.",
    SubmitRetryCounts "submit-retry-counts" "A retried submit counts a second time.",
    NameReused "name-reused" "The name of a returned lease is given again.",
    SkillIgnored "skill-ignored" "A required skill is not asked for.",
    CapacityIgnored "capacity-ignored" "A worker gets one lease more than its capacity.",
    PauseGrants "pause-grants" "A paused project still hands out tasks.",
    WeightIgnored "weight-ignored" "All requesters have the same weight.",
    TierIgnored "tier-ignored" "All projects stand in the same tier.",
    GapIgnored "gap-ignored" "An overdue project never gets a grant before its turn.",
    ThrottleIgnored "throttle-ignored" "A project grants more than its rate allows.",
    RelaxationAtOnce "relaxation-at-once" "A step of relaxation applies to tasks of any age.",
    BoxIgnored "box-ignored" "A time box is filled beyond its end.",
    ClaimIgnored "claim-ignored" "A push that nobody claims stays live.",
    DraftLeaks "draft-leaks" "A draft is kept with the newest lease of its task, whoever has it.",
    TextAsWritten "text-as-written" "Texts are compared as they are written.",
    BoundsIgnored "bounds-ignored" "A number outside its bounds is taken.",
    SpellingCounts "spelling-counts" "Two spellings of one JSON object are two answers.",
    CollectedJudged "collected-judged" "Answers that are only collected move ratings.",
    OwnVoteCounts "own-vote-counts" "An answer is judged by others among whom it is counted itself.",
    JudgedTwice "judged-twice" "What a task said of an answer stays when it is decided anew.",
    StaleRefined "stale-refined" "A refinement changes a task that has moved on since it was seen.",
    ResolvedRefined "resolved-refined" "A refinement revises what a requester has resolved.",
    LearnedTwice "learned-twice" "The crowd learns again of answers that a refinement has counted.",
    SureBuys "sure-buys" "A task that is sure goes on buying answers.",
    UnsureStops "unsure-stops" "A task that is not sure stops buying answers.",
    RevisionReused "revision-reused" "A revised result has the revision of the one before.",
    PackedForgets "packed-forgets" "A task that waits in packed form forgets who has tried it.",
    // The writer.
    ReplyBeforeDurable "reply-before-durable" "A reply leaves before its group is durable.",
    ReadBeforeDurable "read-before-durable" "A refusal or read leaves before what it saw is durable.",
    PublishBeforeDurable "publish-before-durable" "Readers see rows that are not durable yet.",
    ReplyAfterError "reply-after-error" "After a failed sync the waiting replies are sent all the same.",
    ClockJump "clock-jump" "Engine time grows by whatever the clock jumped.",
    GraceForgotten "grace-forgotten" "After a restart leases expire at once.",
    // Recovery.
    KeysForgotten "keys-forgotten" "Recovery forgets the request ids of creates.",
    LeaseRequestsForgotten "lease-requests-forgotten" "Recovery forgets the granting calls.",
    DoubleResult "double-result" "Recovery takes a finished task for an open one.",
    // The journal.
    SkipSync "skip-sync" "The journal does not sync.",
    TrustLastWrite "trust-last-write" "The last write of several is taken to keep those before it.",
    TrustPageCache "trust-page-cache" "Recovery does not rewrite what may be in the page cache only.",
    TornAccepted "torn-accepted" "A frame whose body is torn is taken for whole.",
    // Tables and snapshots.
    OverlayLost "overlay-lost" "A checkpoint forgets a row of the overlay.",
    AppliedTooEarly "applied-too-early" "The tables' position moves before their rows are written.",
    PlacesFirst "places-first" "Where a page lies is written before the page is durable.",
    NoteStays "note-stays" "A note that tasks are settled stays when other rows come.",
    TrimTooEarly "trim-too-early" "The journal is trimmed before a snapshot covers it.",
    SnapshotKeepsGone "snapshot-keeps-gone" "A snapshot keeps rows that are gone.",
    SnapshotUnchecked "snapshot-unchecked" "A snapshot is not compared with the tables, nor read back.",
}

#[cfg(feature = "planted")]
mod switch {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::Mistake;

    static PLANTED: AtomicU8 = AtomicU8::new(u8::MAX);

    /// Plants a mistake in this process, or none.
    pub fn plant(mistake: Option<Mistake>) {
        let number = mistake.map_or(u8::MAX, |mistake| mistake as u8);
        PLANTED.store(number, Ordering::Relaxed);
    }

    /// Whether this mistake is to be made.
    #[must_use]
    pub fn is(mistake: Mistake) -> bool {
        PLANTED.load(Ordering::Relaxed) == mistake as u8
    }
}

#[cfg(feature = "planted")]
pub use switch::{is, plant};

/// Whether this mistake is to be made: never, in this build.
#[cfg(not(feature = "planted"))]
#[must_use]
pub const fn is(_: Mistake) -> bool {
    false
}
