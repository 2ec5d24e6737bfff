//! Several CPUs on one flow: duplicates of a SYN get one wire ISN, and no packet sees half a change (S5, S16).

use std::sync::{
    Barrier,
    atomic::{AtomicU64, Ordering},
};

use isn_tests::{
    test_run::{Hook, Kernel},
    two_worlds::prelude::*,
};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

const ROUNDS: u16 = 10_000;

fn kernel(hook: Hook) -> Kernel {
    let room = Room {
        translated: 16_384,
        half_open: 65_536,
        history: 65_536,
    };
    let mut kernel = Kernel::new(hook, room).expect("the kernel takes the programs");
    kernel.set(&default_settings()).expect("settings");
    kernel
        .guard4([192, 0, 2, 0], 24, &everywhere(Mode::Monotonic))
        .expect("policy");
    kernel
}

/// Pins the calling thread to the `index`-th CPU that it may use, counted around.
fn pin(index: usize) {
    let allowed = sched_getaffinity(Pid::from_raw(0)).expect("affinity can be read");
    let cpus: Vec<usize> = (0..CpuSet::count())
        .filter(|cpu| allowed.is_set(*cpu) == Ok(true))
        .collect();
    let mut one = CpuSet::new();
    one.set(cpus[index % cpus.len()]).expect("an existing CPU");
    sched_setaffinity(Pid::from_raw(0), &one).expect("affinity can be set");
}

fn sequence(frame: &[u8]) -> u32 {
    u32::from_be_bytes(frame[38..42].try_into().expect("4 octets"))
}

/// What the two threads have got, round by round: the wire ISN, or nothing if the SYN was dropped.
type Got = Vec<Option<u32>>;

/// Both threads run the same frame in each round, as nearly at once as a barrier makes it.
fn race(
    kernel: &Kernel,
    frames: [&(dyn Fn(u16) -> Vec<u8> + Sync); 2],
    directions: [Direction; 2],
) -> [Got; 2] {
    let barrier = Barrier::new(2);
    let arrived = AtomicU64::new(0);
    let one = |index: usize| {
        pin(index);
        barrier.wait();
        (0..ROUNDS)
            .map(|round| {
                let frame = frames[index](round);
                arrived.fetch_add(1, Ordering::AcqRel);
                while arrived.load(Ordering::Acquire) < 2 * (u64::from(round) + 1) {
                    std::hint::spin_loop();
                }
                let ran = kernel.run(directions[index], &frame).expect("a run");
                ran.passes.then(|| sequence(&ran.frame))
            })
            .collect()
    };
    std::thread::scope(|scope| {
        let [first, second] = [scope.spawn(|| one(0)), scope.spawn(|| one(1))];
        [
            first.join().expect("no panic"),
            second.join().expect("no panic"),
        ]
    })
}

fn previous(kernel: &Kernel, carrier: &Carrier) {
    for tcp in [
        host_syn(5_000_000),
        peer_syn_ack(PEER_ISN, 5_000_001),
        host_rst(5_000_001),
    ] {
        assert!(
            kernel
                .run(tcp.direction, &carrier.frame(&tcp))
                .expect("a run")
                .passes
        );
    }
}

fn carrier(round: u16) -> Carrier {
    Carrier::v4().from_port(1024 + round)
}

/// In each round both copies leave with one number, or one of them not at all.
fn agree(hook: Hook, what: &str, [first, second]: &[Got; 2], fits: impl Fn(usize, u32) -> bool) {
    let mut dropped = 0;
    for (round, pair) in first.iter().zip(second).enumerate() {
        match pair {
            (Some(a), Some(b)) => {
                assert_eq!(a, b, "{hook:?}, {what}, round {round}: two wire ISNs");
            }
            (None, None) => panic!("{hook:?}, {what}, round {round}: both copies were dropped"),
            _ => dropped += 1,
        }
        for wire in [pair.0, pair.1].into_iter().flatten() {
            assert!(
                fits(round, *wire),
                "{hook:?}, {what}, round {round}: wire ISN {wire}"
            );
        }
    }
    println!("{hook:?}, {what}: one copy dropped in {dropped} of {ROUNDS} rounds");
}

#[test]
fn duplicates_of_a_regressing_syn_get_one_wire_isn() {
    for hook in [Hook::Xdp, Hook::Tc] {
        let kernel = kernel(hook);
        for round in 0..ROUNDS {
            previous(&kernel, &carrier(round));
        }
        let frame = |round| carrier(round).frame(&host_syn(1000));
        let got = race(&kernel, [&frame, &frame], [Outbound; 2]);
        agree(hook, "S5: two copies", &got, |_, wire| {
            let ahead = wire.wrapping_sub(5_000_001);
            65_535 < ahead && ahead < 1 << 31
        });
        let again = race(&kernel, [&frame, &frame], [Outbound; 2]);
        agree(hook, "S5: two copies again", &again, |round, wire| {
            got[0][round].or(got[1][round]) == Some(wire)
        });
    }
}

#[test]
fn two_isns_at_once_get_one_wire_isn() {
    for hook in [Hook::Xdp, Hook::Tc] {
        let kernel = kernel(hook);
        for round in 0..ROUNDS {
            previous(&kernel, &carrier(round));
        }
        let one = |round| carrier(round).frame(&host_syn(1000));
        let other = |round| carrier(round).frame(&host_syn(2000));
        let got = race(&kernel, [&one, &other], [Outbound; 2]);
        agree(hook, "S5: two ISNs", &got, |_, wire| {
            wire != 1000 && wire != 2000
        });
    }
}

#[test]
fn first_syns_at_once_leave_as_one_of_them_came() {
    for hook in [Hook::Xdp, Hook::Tc] {
        let kernel = kernel(hook);
        let one = |round| carrier(round).frame(&host_syn(1000));
        let got = race(&kernel, [&one, &one], [Outbound; 2]);
        agree(hook, "S2: first SYNs", &got, |_, wire| wire == 1000);
    }
}

#[test]
fn data_and_acknowledgments_race_a_retransmitted_syn() {
    for hook in [Hook::Xdp, Hook::Tc] {
        let kernel = kernel(hook);
        let carrier = carrier(0);
        previous(&kernel, &carrier);
        let syn = carrier.frame(&host_syn(1000));
        let wire = sequence(&kernel.run(Outbound, &syn).expect("a run").frame);
        let answer = carrier.frame(&peer_syn_ack(PEER_ISN, wire.wrapping_add(1)));
        kernel.run(Inbound, &answer).expect("a run");
        let out = |round: u16| {
            let at = 1001 + u32::from(round);
            if round.is_multiple_of(5) {
                carrier.frame(&host_syn(1000))
            } else {
                carrier.frame(&host_data(at, PEER_ISN + 1, b"x"))
            }
        };
        let back = |round: u16| {
            carrier.frame(&peer_ack(
                PEER_ISN + 1,
                wire.wrapping_add(1 + u32::from(round)),
            ))
        };
        let [sent, _] = race(&kernel, [&out, &back], [Outbound, Inbound]);
        for (round, got) in (0u32..).zip(sent) {
            let host = if round.is_multiple_of(5) {
                1000
            } else {
                1001 + round
            };
            let wanted = host.wrapping_add(wire.wrapping_sub(1000));
            assert_eq!(
                got,
                Some(wanted),
                "{hook:?}, round {round}: S9: another offset than the SYN's"
            );
        }
    }
}
