//! Which of many samples a picture shows: the same ones each time, evenly spread, and in no step that a host's own step
//! could be a multiple of.

/// Indices below `count`, in order: all of them, or `most` of them.
pub fn chosen(count: usize, most: usize) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    (0..most)
        .map(|stratum| {
            let begin = count * stratum / most;
            let end = count * (stratum + 1) / most;
            begin + scattered(stratum) % (end - begin)
        })
        .collect()
}

/// The finaliser of splitmix64, which leaves nothing of the order of its arguments.
fn scattered(index: usize) -> usize {
    let mut word = (index as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((word ^ (word >> 31)) >> 33).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_all_shown() {
        assert!(chosen(0, 10).is_empty());
        assert_eq!(chosen(3, 3), [0, 1, 2]);
    }

    #[test]
    fn of_many_the_wished_number_in_order_and_always_the_same() {
        for count in [11, 1_000, 999_983] {
            let once = chosen(count, 10);
            assert_eq!(once.len(), 10);
            assert!(once.windows(2).all(|pair| pair[0] < pair[1]), "{once:?}");
            assert!(once[9] < count && once[0] <= count / 10);
            assert_eq!(once, chosen(count, 10));
        }
    }

    #[test]
    fn the_distance_between_two_is_not_always_the_same() {
        let distances: std::collections::BTreeSet<_> = chosen(100_000, 1_000)
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .collect();
        assert!(distances.len() > 50, "{}", distances.len());
    }
}
