//! Each series by itself: how it stands at an end.

use super::*;
use crate::detect::blame;

impl Counts {
    /// Judges the ends from `first` to `last`, each series by itself; of the sellers those that were touched, from the first of their
    /// panes on, and those that stood out lately, from `from` on.
    pub(super) fn judge(&mut self, (first, last): (u32, u32), from: u32, touched: &BTreeMap<Identity, u32>) {
        let mut look: BTreeMap<Identity, u32> = self.watched.iter().map(|key| (*key, from)).collect();
        for (key, from) in touched {
            look.entry(*key).and_modify(|pane| *pane = (*pane).min(*from)).or_insert(*from);
        }
        for end in first..=last {
            let mut verdicts = vec![];
            for series in &self.series {
                let class = if series.level == Level::Global { Class::Shop } else { Class::Category };
                let known = series.known(end.saturating_sub(scan::LONGEST), end);
                verdicts.push(self.scan.judge(class, known, &series.windows(end)));
            }
            let Some(of_end) = self.ends.get_mut(&end) else { continue };
            of_end.series = verdicts;
            for (key, from) in &look {
                let Some(seller) = self.sellers.get_mut(key).filter(|_| *from <= end) else { continue };
                let lately = seller.over.iter().any(|over| *over < end && *over + QUIET >= end);
                let verdict =
                    if lately || seller.lines(end) > 0 { judge_seller(&mut self.scan, seller, end, &self.series) } else { None };
                seller.over.retain(|over| *over != end);
                match verdict.filter(|it| it.standing() > Standing::Quiet) {
                    Some(verdict) => {
                        seller.over.push(end);
                        self.watched.insert(*key);
                        of_end.sellers.insert(*key, verdict);
                    }
                    None => {
                        of_end.sellers.remove(key);
                    }
                }
            }
        }
    }
}

fn judge_seller(scan: &mut Scan, seller: &Seller, end: u32, series: &[Series]) -> Option<OfSeller> {
    let (category, _) = seller.share?;
    let known = series[category].known(end.saturating_sub(scan::LONGEST), end);
    if known != Known::Warm {
        return None;
    }
    let windows = [What::Baskets, What::Lines].map(|what| seller.windows(what, end, series));
    let verdicts = [scan.judge(Class::SellerBaskets, known, &windows[0]), scan.judge(Class::SellerLines, known, &windows[1])];
    Some(OfSeller { category, known, windows, verdicts })
}

/// Which parts follow a whole that is not to blame on one of them: factors for rises and for falls.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Follow {
    /// Of rises.
    pub up: Option<[i64; 5]>,
    /// Of falls.
    pub down: Option<[i64; 5]>,
}

impl Follow {
    /// The verdict on a part, once what it shares with the whole is taken away.
    pub fn judge(&self, scan: &mut Scan, class: Class, known: Known, windows: &Windows, alone: &Verdict) -> Verdict {
        let mut again = |factors: Option<[i64; 5]>, alone: Option<Stand>, of: fn(Verdict) -> Option<Stand>| match factors {
            Some(factors) if alone.is_some() => of(scan.judge(class, known, &scan::scaled(windows, &factors))),
            _ => alone,
        };
        Verdict { up: again(self.up, alone.up, |it| it.up), down: again(self.down, alone.down, |it| it.down) }
    }

    /// Where `whole` stands out and no part of it is to blame.
    pub fn of(verdict: &Verdict, windows: &Windows, blamed: [bool; 2]) -> Follow {
        Follow {
            up: verdict.up.filter(|_| !blamed[0]).map(|_| blame::factors(windows, true)),
            down: verdict.down.filter(|_| !blamed[1]).map(|_| blame::factors(windows, false)),
        }
    }
}
