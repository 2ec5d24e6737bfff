//! The offsets of a million 4-tuples: as even as random numbers, and unrelated between neighbours.

use isn_common::{flow::Key4, keyed};

use crate::SECRET;

const TUPLES: u32 = 1 << 20;
const CELLS: usize = 1 << 12;

/// The 4-tuple of a number: ports first, then addresses, as a scanner or a busy client would go through them.
fn offset(number: u32) -> u32 {
    let [high, low, port_high, port_low] = number.to_be_bytes();
    let key = Key4 {
        host: [192, 0, 2, 10],
        peer: [198, 51, high, low],
        host_port: [0, 80],
        peer_port: [port_high, port_low],
        vlan: 0,
    };
    keyed::offset(SECRET, &key).0
}

/// Pearson's statistic of numbers in equal cells, as deviations from its mean: about normal for so many cells.
fn unevenness(cells_of: impl Iterator<Item = usize>) -> f64 {
    let mut counts = vec![0_u32; CELLS];
    let mut all = 0_u32;
    for cell in cells_of {
        counts[cell] += 1;
        all += 1;
    }
    let (freedom, expected) = (4095.0, f64::from(all) / 4096.0);
    let square = |count: &u32| (f64::from(*count) - expected).powi(2) / expected;
    let statistic: f64 = counts.iter().map(square).sum();
    (statistic - freedom) / (2.0 * freedom).sqrt()
}

fn top(number: u32) -> usize {
    (number >> 20) as usize
}

fn bottom(number: u32) -> usize {
    (number & 0xfff) as usize
}

/// Six standard deviations: by chance once in 500 million.
fn ensure_even(what: &str, numbers: &(impl Iterator<Item = u32> + Clone)) {
    for (end, cell) in [("upper", top as fn(u32) -> usize), ("lower", bottom)] {
        let deviations = unevenness(numbers.clone().map(cell));
        println!("{what}, {end} 12 bits: {deviations:.2} deviations");
        assert!(deviations.abs() < 6.0, "{what}, {end} bits: {deviations}");
    }
}

#[test]
fn s3_offsets_are_even() {
    ensure_even("offsets", &(0..TUPLES).map(offset));
}

#[test]
fn s3_offsets_of_neighbours_are_unrelated() {
    for apart in [1, 2, 256, 1 << 16] {
        let differences =
            (0..TUPLES).map(move |number| offset(number + apart).wrapping_sub(offset(number)));
        ensure_even(
            &format!("differences of 4-tuples {apart} apart"),
            &differences,
        );
    }
}

/// As many pairs alike as among random numbers: n^2 / 2^33 = 128.
#[test]
fn s3_offsets_collide_as_random_numbers_do() {
    let mut offsets: Vec<u32> = (0..TUPLES).map(offset).collect();
    offsets.sort_unstable();
    let alike = offsets.windows(2).filter(|pair| pair[0] == pair[1]).count();
    println!("{alike} of {TUPLES} offsets alike");
    assert!((60..196).contains(&alike), "{alike}");
}
