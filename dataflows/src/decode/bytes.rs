//! Questions about sixteen bytes at once, each answered with a mask, the bit of the first byte lowest.
//!
//! A processor of the x86-64 sort answers each in a few instructions that all of them have; others ask words of eight bytes.

/// Bytes in a window.
pub(crate) const BYTES: usize = 16;

/// Whether a string of JSON cannot simply go on with this byte: a quote, an escape, a control character.
#[inline]
pub(crate) fn stop(c: u8) -> bool {
    matches!(c, b'"' | b'\\' | 0..0x20)
}

#[cfg(target_arch = "x86_64")]
pub(crate) use vectors::{digits, stops};
#[cfg(not(target_arch = "x86_64"))]
pub(crate) use words::{digits, stops};

/// Sixteen bytes in a register.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "with words of eight bytes, decoding as a whole takes a third longer")]
mod vectors {
    use super::BYTES;
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8, _mm_sub_epi8,
    };

    #[inline]
    #[target_feature(enable = "sse2")]
    fn load(window: &[u8; BYTES]) -> __m128i {
        let all = u128::from_le_bytes(*window);
        _mm_set_epi64x((all >> 64) as i64, all as i64)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn stops_in(window: &[u8; BYTES]) -> u32 {
        let x = load(window);
        let quotes = _mm_cmpeq_epi8(x, _mm_set1_epi8(b'"' as i8));
        let escapes = _mm_cmpeq_epi8(x, _mm_set1_epi8(b'\\' as i8));
        let controls = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1F)), x);
        _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quotes, escapes), controls)) as u32
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn digits_in(window: &[u8; BYTES]) -> u32 {
        let values = _mm_sub_epi8(load(window), _mm_set1_epi8(b'0' as i8));
        _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(values, _mm_set1_epi8(9)), values)) as u32
    }

    /// Which bytes are a [`stop`](super::stop).
    #[inline]
    pub fn stops(window: &[u8; BYTES]) -> u32 {
        // SAFETY: SSE2 is part of x86-64, and nothing is read but the array.
        unsafe { stops_in(window) }
    }

    /// Which bytes are decimal digits.
    #[inline]
    pub fn digits(window: &[u8; BYTES]) -> u32 {
        // SAFETY: SSE2 is part of x86-64, and nothing is read but the array.
        unsafe { digits_in(window) }
    }
}

/// Two words of eight bytes. `(x & 0x7F..) + n` carries into the highest bit of each byte by itself and never into the next, so
/// that every byte's answer is right, and a multiplication gathers the eight highest bits into one byte.
#[cfg(any(test, not(target_arch = "x86_64")))]
mod words {
    use super::BYTES;

    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x80 * ONES;

    /// The highest bit of each byte that is at least `n`, which is 1..=128; the other bits are of no use.
    #[inline]
    fn at_least(x: u64, n: u8) -> u64 {
        ((x & !HIGHS) + ONES * u64::from(128 - n)) | x
    }

    /// The mask of the bytes whose highest bit is set.
    #[inline]
    fn mask(window: &[u8; BYTES], is: impl Fn(u64) -> u64) -> u32 {
        let all = u128::from_le_bytes(*window);
        let gather = |x: u64| (((is(x) & HIGHS) >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32;
        gather(all as u64) | gather((all >> 64) as u64) << 8
    }

    /// Which bytes are a [`stop`](super::stop).
    #[inline]
    pub fn stops(window: &[u8; BYTES]) -> u32 {
        let other = |x: u64, c: u8| at_least(x ^ (ONES * u64::from(c)), 1);
        mask(window, |x| !(other(x, b'"') & other(x, b'\\') & at_least(x, 0x20)))
    }

    /// Which bytes are decimal digits.
    #[inline]
    pub fn digits(window: &[u8; BYTES]) -> u32 {
        mask(window, |x| !at_least(x ^ (ONES * u64::from(b'0')), 10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_at_once_is_as_one_by_one() {
        for first in 0..=255u8 {
            for step in [0, 1, 3, 17, 101u8] {
                let window: [u8; BYTES] = std::array::from_fn(|i| first.wrapping_add(step.wrapping_mul(i as u8)));
                let single = |is: fn(u8) -> bool| window.iter().rev().fold(0, |mask, &c| mask << 1 | u32::from(is(c)));
                let (ends, numbers) = (single(stop), single(|c| c.is_ascii_digit()));
                assert_eq!([stops(&window), words::stops(&window)], [ends; 2], "{window:?}");
                assert_eq!([digits(&window), words::digits(&window)], [numbers; 2], "{window:?}");
            }
        }
    }
}
