//! Settings of the features that look back further than an hour, and of the scoring vectors.

use super::FeatureSpec;

/// Which of them are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProfileSpec {
    /// All columns of `seller_features`, and not only those of an hour.
    pub sellers: bool,
    /// All columns of `category_features`, and not only those of half an hour.
    pub categories: bool,
    /// The table `product_features`.
    pub products: bool,
    /// The table `customer_features`.
    pub customers: bool,
    /// The table `scores`, for which all of these are computed, whether their tables are wanted or not.
    pub scores: bool,
}

impl ProfileSpec {
    /// Whether anything is wanted.
    pub fn any(&self) -> bool {
        self.sellers || self.categories || self.products || self.customers || self.scores
    }
}

/// As given: all times are those of the features.
pub type Profiles = ProfileSpec;

/// Whether they can be computed beside these features.
pub(super) fn check(features: &FeatureSpec) -> Result<(), String> {
    if !features.enabled {
        return Err("features of products and customers, and scores, need [features] enabled = true".into());
    }
    if features.lateness % features.slide.max(1) != 0 || features.lateness > 600_000 {
        return Err(format!(
            "features of products and customers, and scores, need an allowed_lateness ({} ms) that is a multiple of the slide \
             ({} ms) and at most 10 minutes",
            features.lateness, features.slide
        ));
    }
    Ok(())
}
