//! Measurements of Vitrine: the hand-written loop that everything is compared with.
