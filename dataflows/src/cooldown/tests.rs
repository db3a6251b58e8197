//! The policy against its example and against the contract's sentences, read once more from the whole history.

use super::*;
use crate::plan::Spec;
use crate::row::event::{Kind, Level};
use proptest::prelude::*;

fn spec() -> CooldownSpec {
    Spec::default().cooldown
}

fn subject(key: usize) -> Subject {
    Subject { kind: Kind::GROWTH[key % 3], level: Level::Global, key: format!("k{}", key / 3) }
}

/// Seconds in, (seconds, suppressed, quiet in seconds) of those that are sent out.
fn sent(detections: &[i64]) -> Vec<(i64, u64, i64)> {
    let mut cooldown = Cooldown::new(&spec());
    let decide = |&t: &i64| match cooldown.decide(&subject(0), t * 1_000) {
        Decision::Send { suppressed_since_last, quiet } => Some((t, suppressed_since_last, quiet / 1_000)),
        _ => None,
    };
    detections.iter().filter_map(decide).collect()
}

#[test]
fn the_contract_s_example() {
    // quiet:  30 | 60 120 240 240 ... | 240 at 270 > 240: sent | 30 <= 240, 130 <= 240 | 1100 - 400 >= 600: starts over
    let detections = [0, 30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 400, 1_100];
    assert_eq!(sent(&detections), [(0, 0, 30), (270, 8, 240), (1_100, 2, 30)]);
}

#[test]
fn the_edges_of_each_rule() {
    // t - sent <= quiet is inclusive
    assert_eq!(sent(&[0, 30]), [(0, 0, 30)]);
    assert_eq!(sent(&[0, 31]), [(0, 0, 30), (31, 0, 30)]);
    // suppressed at 30 doubles to 60; 60 is still within, 61 is not
    assert_eq!(sent(&[0, 30, 60]), [(0, 0, 30)]);
    assert_eq!(sent(&[0, 30, 61]), [(0, 0, 30), (61, 1, 60)]);
    // t - seen >= 600 is inclusive; 599 after the last detection is sent too, but with the long quiet time
    assert_eq!(sent(&[0, 30, 630]), [(0, 0, 30), (630, 1, 30)]);
    assert_eq!(sent(&[0, 30, 629]), [(0, 0, 30), (629, 1, 60)]);
}

#[test]
fn an_older_end_is_within_the_quiet_time() {
    // a correction raises 60 after 90 was sent; 120 then meets 60 s of quiet
    assert_eq!(sent(&[90, 60, 120]), [(90, 0, 30)]);
}

#[test]
fn a_second_definition_with_the_same_end_does_not_count() {
    let mut cooldown = Cooldown::new(&spec());
    let it = subject(0);
    assert_eq!(cooldown.decide(&it, 0), Decision::Send { suppressed_since_last: 0, quiet: 30_000 });
    assert_eq!(cooldown.decide(&it, 0), Decision::Repeat { suppressed: 0, quiet: 30_000 });
    assert_eq!(cooldown.decide(&it, 30_000), Decision::Suppress { suppressed: 1, quiet: 60_000 });
    assert_eq!(cooldown.decide(&it, 30_000), Decision::Repeat { suppressed: 1, quiet: 60_000 });
    assert_eq!(cooldown.decide(&it, 61_000), Decision::Send { suppressed_since_last: 1, quiet: 60_000 });
}

#[test]
fn a_drop_is_never_kept_quiet_by_a_spike() {
    let mut cooldown = Cooldown::new(&spec());
    cooldown.decide(&Subject::whole(Kind::ActivitySpike), 0);
    let drop = cooldown.decide(&Subject::whole(Kind::ActivityDrop), 0);
    assert_eq!(drop, Decision::Send { suppressed_since_last: 0, quiet: 30_000 });
}

#[test]
fn idle_subjects_are_dropped_once_they_owe_nothing() {
    let mut cooldown = Cooldown::new(&spec());
    for key in 0..900 {
        cooldown.decide(&subject(key), 0);
    }
    cooldown.decide(&subject(7), 10_000);
    cooldown.forget(599_999);
    assert_eq!(cooldown.len(), 900);
    cooldown.forget(1_200_000);
    assert_eq!(cooldown.len(), 1);
    assert_eq!(cooldown.decide(&subject(7), 1_200_000), Decision::Send { suppressed_since_last: 1, quiet: 30_000 });
    cooldown.forget(2_400_000);
    assert!(cooldown.is_empty());
}

/// The contract's sentences over the whole history of one subject, nothing carried along but what they name.
fn by_the_contract(spec: &CooldownSpec, history: &[i64]) -> Decision {
    let (mut sent, mut seen, mut quiet, mut suppressed) = (None::<i64>, None::<i64>, spec.quiet, 0);
    let mut decision = None;
    for (i, &t) in history.iter().enumerate() {
        if history[..i].contains(&t) {
            decision = Some(Decision::Repeat { suppressed, quiet });
            continue;
        }
        let starts_over = match seen {
            Some(seen) => t - seen >= spec.reset,
            None => true,
        };
        let passes = if starts_over {
            quiet = spec.quiet;
            true
        } else if t - sent.unwrap() <= quiet {
            suppressed += 1;
            quiet = (2 * quiet).min(spec.max_quiet);
            false
        } else {
            true
        };
        if passes {
            sent = Some(t);
            decision = Some(Decision::Send { suppressed_since_last: suppressed, quiet });
            suppressed = 0;
        } else {
            decision = Some(Decision::Suppress { suppressed, quiet });
        }
        seen = Some(seen.map_or(t, |seen| seen.max(t)));
    }
    decision.unwrap()
}

#[derive(Clone, Debug)]
struct Step {
    key: usize,
    /// How far the present moves before it, and how far behind the present the window end lies.
    on: i64,
    back: i64,
    forget: bool,
    reload: bool,
}

const LATENESS: i64 = 90;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let on = prop_oneof![4 => 0..3i64, 3 => 20..70i64, 1 => 200..700i64, 1 => 1_200..2_000i64];
    let step = (0..5usize, on, prop_oneof![3 => Just(0), 1 => 0..LATENESS], any::<bool>(), prop::bool::weighted(0.1));
    prop::collection::vec(step.prop_map(|(key, on, back, forget, reload)| Step { key, on, back, forget, reload }), 1..60)
}

fn specs() -> impl Strategy<Value = CooldownSpec> {
    let other = (0..100i64, 0..300i64, 0..900i64).prop_map(|(quiet, max_quiet, reset)| CooldownSpec { quiet, max_quiet, reset });
    prop_oneof![Just(CooldownSpec { quiet: 30, max_quiet: 240, reset: 600 }), other]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    // Forgetting at any moment, and going through a checkpoint, changes no decision.
    #[test]
    fn every_decision_is_the_contract_s(spec in specs(), steps in steps()) {
        let mut cooldown = Cooldown::new(&spec);
        let mut histories = vec![vec![]; 5];
        let mut now = 0;
        for step in steps {
            now += step.on;
            if step.forget {
                cooldown.forget(now - LATENESS);
            }
            if step.reload {
                let saved = serde_json::to_string(&cooldown.save()).unwrap();
                cooldown = Cooldown::restore(&spec, serde_json::from_str(&saved).unwrap());
            }
            let t = now - step.back;
            histories[step.key].push(t);
            prop_assert_eq!(cooldown.decide(&subject(step.key), t), by_the_contract(&spec, &histories[step.key]));
        }
    }

    // What is held after a sweep is what is busy, or owes a count.
    #[test]
    fn state_is_bounded(steps in steps()) {
        let spec = CooldownSpec { quiet: 30, max_quiet: 240, reset: 600 };
        let mut cooldown = Cooldown::new(&spec);
        let mut now = 0;
        for step in steps {
            now += step.on;
            cooldown.decide(&subject(step.key), now - step.back);
            cooldown.forget(now - LATENESS);
            for (_, state) in cooldown.save() {
                let mut kept = state.clone();
                kept.forget(now - LATENESS);
                prop_assert!(serde_json::to_value(&kept).unwrap()["counted"].as_array().unwrap().len() as i64 <= LATENESS + 1);
            }
        }
        cooldown.forget(now + 2 * spec.reset);
        prop_assert!(cooldown.save().iter().all(|(_, state)| serde_json::to_value(state).unwrap()["suppressed"] != 0));
    }
}
