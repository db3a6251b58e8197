//! The life of episodes by hand, with corrections.

use super::*;
use crate::plan::Spec;
use crate::row::event::{Kind, Level};

const STEP: u32 = 30;

fn plan() -> Arc<Plan> {
    let mut spec = Spec::default();
    spec.detect.enabled = true;
    Arc::new(Plan::new(&spec).unwrap())
}

fn subject(kind: Kind) -> Subject {
    Subject { kind, level: Level::Category, key: "Books".into() }
}

fn found(end: u32, decades: i64) -> Found {
    Found {
        direction: Direction::Up,
        start: end - 2 * STEP,
        score: decades * 1_000_000,
        threshold: 6_000_000,
        step: 3_000_000,
        severity: if decades >= 9 { Severity::Critical } else { Severity::Warning },
        value: Figure::Count(decades),
        expected: Some(Figure::Millionths(1)),
        growth_pct: None,
        rule: "nb/baskets".into(),
        message: String::new(),
        insights: vec![],
    }
}

/// Says, slide by slide, what was learned: (slide, end, decades; 0 takes it back), in slides. Gives the rows in short.
fn life(kind: Kind, episodes: &mut Episodes, slides: std::ops::RangeInclusive<u32>, learned: &[(u32, u32, i64)]) -> Vec<String> {
    let mut said = vec![];
    for slide in slides {
        let of_slide = learned.iter().filter(|it| it.0 == slide);
        let signals = of_slide.map(|(s, end, decades)| Signal {
            learned: s * STEP,
            subject: subject(kind),
            end: end * STEP,
            found: (*decades > 0).then(|| Box::new(found(end * STEP, *decades))),
        });
        episodes.close(slide * STEP, signals.collect(), &|_| (1, 2), |row| {
            said.push(match row {
                Row::Episode(it) => {
                    let state = it.state.map_or("gone", State::name);
                    format!("{slide}: {state} {} r{}", it.event.end / 30_000, it.event.revision)
                }
                Row::Event(_, it) => {
                    let what = if it.retracts.is_some() { "retracted" } else { "sent" };
                    format!("{slide}: {what} {}", it.end / 30_000)
                }
            });
        });
    }
    said
}

#[test]
fn an_episode_opens_escalates_and_closes() {
    let mut episodes = Episodes::new(&plan());
    let ends = [(100, 5), (101, 6), (102, 8), (103, 9), (104, 4), (105, 3), (106, 2)];
    let mut learned: Vec<(u32, u32, i64)> = ends.iter().map(|(end, decades)| (*end, *end, *decades)).collect();
    // it goes on for long enough that the quiet time is over
    learned.extend((107..=112).map(|end| (end, end, 12)));
    let said = life(Kind::ActivitySpike, &mut episodes, 100..=130, &learned);
    assert_eq!(
        said,
        [
            "101: opened 101 r0",
            "101: sent 101",
            "103: escalated 103 r1",
            // 102 and 103 held, too: quiet for 120 s behind 101
            "107: escalated 107 r2",
            "107: sent 107",
            // at 112, ten slides of quiet begin
            "122: closed 112 r3",
        ]
    );
    assert_eq!(episodes.busy(), None);
}

#[test]
fn an_escalation_is_told_of_once_the_quiet_time_is_over() {
    let mut episodes = Episodes::new(&plan());
    let learned: Vec<(u32, u32, i64)> = (100..=120).map(|end| (end, end, if end < 115 { 7 } else { 12 })).collect();
    let said = life(Kind::ActivitySpike, &mut episodes, 100..=118, &learned);
    assert_eq!(said, ["100: opened 100 r0", "100: sent 100", "115: escalated 115 r1", "115: sent 115"]);
}

#[test]
fn a_correction_takes_back_what_it_leaves_without_ground() {
    let mut episodes = Episodes::new(&plan());
    let said = life(Kind::ActivitySpike, &mut episodes, 100..=130, &[(100, 100, 7), (102, 100, 0)]);
    assert_eq!(said, ["100: opened 100 r0", "100: sent 100", "102: gone 100 r1", "102: retracted 100"]);
    // it comes back an end later
    let mut episodes = Episodes::new(&plan());
    let learned = [(100, 100, 7), (101, 100, 5), (101, 101, 8), (102, 100, 7)];
    let said = life(Kind::ActivitySpike, &mut episodes, 100..=103, &learned);
    assert_eq!(
        said,
        [
            "100: opened 100 r0",
            "100: sent 100",
            "101: gone 100 r1",
            // a second detection within the quiet time is held back
            "101: opened 101 r0",
            "101: retracted 100",
            "102: opened 100 r2",
            "102: gone 101 r1",
            "102: sent 100",
        ]
    );
}

#[test]
fn a_drop_is_not_hidden_by_a_spike() {
    let mut episodes = Episodes::new(&plan());
    life(Kind::ActivitySpike, &mut episodes, 100..=101, &[(100, 100, 7), (101, 101, 7)]);
    let said = life(Kind::ActivityDrop, &mut episodes, 102..=102, &[(102, 102, 7)]);
    assert_eq!(said, ["102: opened 102 r0", "102: sent 102"]);
}

#[test]
fn a_checkpoint_at_any_slide_changes_nothing() {
    let plan = plan();
    let learned = [(100, 100, 7), (101, 101, 5), (102, 101, 9), (103, 102, 10), (104, 102, 0), (104, 104, 6)];
    let mut whole = Episodes::new(&plan);
    let expected = life(Kind::ActivitySpike, &mut whole, 100..=125, &learned);
    for cut in 100..=120 {
        let mut first = Episodes::new(&plan);
        let mut said = life(Kind::ActivitySpike, &mut first, 100..=cut, &learned);
        let bytes = postcard::to_stdvec(&first.save()).unwrap();
        let mut second = Episodes::restore(&plan, postcard::from_bytes(&bytes).unwrap());
        said.extend(life(Kind::ActivitySpike, &mut second, cut + 1..=125, &learned));
        assert_eq!(said, expected, "cut behind {cut}");
    }
}
