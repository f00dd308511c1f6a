//! Damage to a data directory is told or does no harm.

#[test]
fn p15_damage_is_told_or_does_no_harm() {
    let report = piecework_sim::corruption::run(4_001).expect("a small directory");
    assert!(report.is_clean(), "{report}");
    assert!(report.detected > 20 && report.harmless > 20, "{report}");
    // Some are needed, some are not.
    assert!(report.passed_over > 100, "{report}");
    assert!(report.snapshots_hurt > report.passed_over + 50, "{report}");
}
