//! The kernel as the data plane's world: named operations over the maps, and the clock.

use core::{mem::MaybeUninit, ops::Deref};

use aya_ebpf::{
    bindings::{BPF_ANY, BPF_NOEXIST},
    helpers::bpf_ktime_get_ns,
    maps::lpm_trie::Key,
};
use aya_log_ebpf::debug;
use isn_common::{
    abi::{
        flow::{Flow, Previous, Record, Word as _, pack, unpack},
        maps::{LOAD_V4, LOAD_V6},
        policy::{Mode, Policy},
        sample::{Sample, Told},
        settings::Settings,
    },
    counter::Counter,
    expiry::Place,
    flow::{Address as _, FlowKey as _, Key4, Key6},
    keyed::{self, Generation},
    newcomer,
    opening::Syn,
    previous::{self, Numbers},
    promotion, recompute, remember,
    room::{Admission, Share},
    sample,
    settle::{self, Settled},
    slots::{Announcement, Put, Set, Slot, Spread, Spreading, table},
    storm::Cell,
    tcp::{
        options::SynOptions,
        seq::{Offset, Seq},
    },
    tick::Tick,
    translate::Translation,
    verdict::PassReason,
    world::{Held, Insertion, Tables, World},
};

use crate::{
    clock,
    hide::hide,
    maps::{
        COUNTERS, FILTER_V4, FILTER_V6, HOSTS_V4, HOSTS_V6, LOAD, POLICY_V4, POLICY_V6,
        PREVIOUS_V4, PREVIOUS_V6, PRINTS_V4, PRINTS_V6, SAMPLES, SETTINGS, SHARES, SLOTS_V4,
        SLOTS_V6, SPREAD, STORMS, TRANSLATED_V4, TRANSLATED_V6,
    },
    spread,
    words::KernelWord,
};

/// The maps of this object and the helpers of the running kernel.
pub struct Kernel;

/// A flow in a map, from a successful lookup.
pub struct Found {
    flow: *const Flow<KernelWord>,
    /// The tag that its slot had; 0 if it lies in no slot, or nobody will ask.
    tag: u64,
}

impl Deref for Found {
    type Target = Flow<KernelWord>;

    #[inline(always)]
    fn deref(&self) -> &Self::Target {
        // SAFETY: the pointer is of a lookup in this run of the program, within which the kernel
        // does not give the value's memory back.
        unsafe { &*self.flow }
    }
}

/// A key written in words.
#[repr(transparent)]
struct Words<const N: usize>([u64; N]);

impl Words<2> {
    #[inline(always)]
    fn key(&self) -> &Key4 {
        const { assert!(size_of::<Self>() == size_of::<Key4>()) };
        // SAFETY: as long and as aligned, and any octets are a key.
        unsafe { &*core::ptr::from_ref(self).cast() }
    }
}

impl Words<5> {
    #[inline(always)]
    fn key(&self) -> &Key6 {
        const { assert!(size_of::<Self>() == size_of::<Key6>()) };
        // SAFETY: as above.
        unsafe { &*core::ptr::from_ref(self).cast() }
    }
}

impl World for Kernel {
    type Word = KernelWord;
    type Found = Found;

    #[inline(always)]
    fn now(&self) -> Tick {
        clock::now()
    }

    #[inline(always)]
    fn settings(&self) -> Option<&Settings> {
        SETTINGS.get(0)
    }

    #[inline(always)]
    fn count(&self, counter: Counter, by: u64) {
        if let Some(counters) = COUNTERS.get_ptr_mut(0) {
            // The optimizer knows that every counter has its place; the verifier wants it checked.
            let index = hide(counter.index());
            // SAFETY: the pointer is valid, and this CPU's own.
            if let Some(value) = unsafe { (*counters).0.get_mut(index) } {
                *value = value.wrapping_add(by);
            }
        }
    }

    #[inline(always)]
    fn storm(&self, cell: u32) -> Option<&Cell<KernelWord>> {
        STORMS.get(cell)
    }

    #[inline(always)]
    fn share(&self, cell: u32) -> Option<&KernelWord> {
        SHARES.get(cell)
    }
}

impl Kernel {
    /// Counts one more of a counter that the compiler knows where this stands, or the verifier on each way to it: nothing is checked.
    #[inline(always)]
    pub fn count_known(counter: Counter) {
        if let Some(counters) = COUNTERS.get_ptr_mut(0) {
            // SAFETY: the pointer is valid, and this CPU's own; every counter has its place.
            unsafe {
                let value = (&raw mut (*counters).0).cast::<u64>().add(counter.index());
                *value = (*value).wrapping_add(1);
            }
        }
    }
}

/// What the attempt to settle on a SYN returns where another CPU came in between; no settlement has this number.
const AGAIN: u32 = u32::MAX;

/// A settlement as a number, with its offsets in the place of the SYN's numbers; and back.
#[inline(always)]
fn code(settled: Option<Settled>, syn: &mut Syn) -> u32 {
    let Some(settled) = settled else {
        return AGAIN;
    };
    let by = settled.translation();
    syn.isn = Seq(by.sequence.0);
    syn.options.stamp = Seq(by.timestamp.0);
    settled.code()
}

#[inline(always)]
fn settled(code: u32, syn: &Syn) -> Option<Settled> {
    let by = Translation {
        sequence: Offset(syn.isn.0),
        timestamp: Offset(syn.options.stamp.0),
    };
    (code != AGAIN).then(|| Settled::from_code(code, by))
}

/// A table by its number, as a function of its own is given it.
#[inline(always)]
const fn place_of(number: u32) -> Place {
    match number {
        1 => Place::HalfOpen,
        2 => Place::History,
        _ => Place::Translated,
    }
}

const EEXIST: i32 = -17;

#[inline(always)]
fn insertion(result: Result<(), i32>) -> Insertion {
    match result {
        Ok(()) => Insertion::Done,
        Err(EEXIST) => Insertion::Exists,
        Err(_) => Insertion::Full,
    }
}

/// A record as the octets of a flow: the same layout, asserted by the sizes below.
#[inline(always)]
fn as_flow(record: &Record) -> &Flow<KernelWord> {
    const { assert!(size_of::<Record>() == size_of::<Flow<KernelWord>>()) };
    // SAFETY: both are `repr(C)` of five 64-bit words, and the borrow ends with the insertion.
    unsafe { &*core::ptr::from_ref(record).cast() }
}

/// The key behind a pointer that came to a global function, copied to this function's own stack into
/// `place`: kernels before 6.2 take no other memory as the key of a map. Word by word and volatile,
/// or the optimizer would hand the old pointer on.
///
/// # Safety
///
/// The pointer is null, or to a whole, initialized value whose size and alignment are multiples
/// of 4.
#[inline(always)]
pub unsafe fn copied<T>(key: *const T, place: &mut MaybeUninit<T>) -> Option<&T> {
    if key.is_null() {
        return None;
    }
    const { assert!(size_of::<T>().is_multiple_of(4) && align_of::<T>().is_multiple_of(4)) };
    for word in 0..size_of::<T>() / 4 {
        // SAFETY: the word lies within both values, and the caller promises the pointer.
        unsafe {
            let value = key.cast::<u32>().add(word).read_volatile();
            place.as_mut_ptr().cast::<u32>().add(word).write(value);
        }
    }
    // SAFETY: every word was written.
    Some(unsafe { place.assume_init_ref() })
}

/// What is found under a key that a function was given: by a copy, as maps need it, which lies on the stack no longer than that.
#[inline(always)]
fn given<K: Copy, T>(key: &K, found: impl FnOnce(&K) -> Option<T>) -> Option<T> {
    let place = &mut MaybeUninit::uninit();
    // SAFETY: a reference is a pointer to a whole, initialized value.
    found(unsafe { copied(key, place) }?)
}

macro_rules! tables {
    ($address:ty, $key:ty, $bits:literal, $family:literal, $slots:ident, $prints:ident, $translated:ident, $expect:ident, $locate:ident, $find:ident, $announce:ident, $confirm:ident, $strike_out:ident, $replace:ident, $take:ident, $previous:ident, $policy:ident, $filter:ident,
     $load:ident, $hosts:ident, $promote:ident, $admission:ident, $takes_share:ident,
     $newcomer:ident, $settle:ident, $mode:ident, $keyed_offset:ident, $recomputed:ident, $remember_segment:ident, $unpredictable:ident, $set_previous:ident, $late_translation:ident, $await_answer:ident,
     $log_rewrite:ident, $glimpse:ident, $sample:ident, $learnt:ident, $printable:expr) => {
        impl Tables<$address> for Kernel {
            #[inline(always)]
            fn may_be_guarded(&self, host: $address) -> bool {
                let bit = host.filter_bit();
                $filter
                    .get(bit.word)
                    .is_some_and(|word| word.load() & bit.bits != 0)
            }

            #[inline(always)]
            fn note_flows_of(&self, host: $address) {
                let bit = host.filter_bit();
                if let Some(word) = $filter.get(bit.word) {
                    word.set(bit.bits);
                }
            }

            #[inline(always)]
            fn expect(&self, key: &$key) {
                $expect(key);
            }

            #[inline(always)]
            fn translated(&self, key: &$key) -> Option<Found> {
                Tables::<$address>::entry(self, key, Place::Translated)
            }

            #[inline(always)]
            fn half_open(&self, key: &$key) -> Option<Found> {
                Tables::<$address>::entry(self, key, Place::HalfOpen)
            }

            #[inline(always)]
            fn history(&self, key: &$key) -> Option<Found> {
                Tables::<$address>::entry(self, key, Place::History)
            }

            #[inline(always)]
            fn entry(&self, key: &$key, place: Place) -> Option<Found> {
                if let Place::Translated = place
                    && let Some(beside) = table::beside(self, key)
                {
                    return Some(beside);
                }
                table::at::<$key, _>(self, $locate(key, place as u32)).map(|(_, found)| found)
            }

            #[inline(always)]
            fn find(&self, key: &$key) -> Option<Held<Found>> {
                if let Some(flow) = table::beside(self, key) {
                    let place = Place::Translated;
                    return Some(Held { place, flow });
                }
                let (place, flow) = table::at::<$key, _>(self, $find(key))?;
                Some(Held { place, flow })
            }

            #[inline(always)]
            fn find_given(&self, key: &$key) -> Option<Held<Found>> {
                if let Some(flow) = given(key, |key| table::beside(self, key)) {
                    let place = Place::Translated;
                    return Some(Held { place, flow });
                }
                let (place, flow) = table::at::<$key, _>(self, $find(key))?;
                Some(Held { place, flow })
            }

            #[inline(always)]
            fn is_intact(&self, flow: &Found) -> bool {
                if flow.tag == 0 {
                    return true;
                }
                let before = Slot::<KernelWord, $key>::BEFORE_FLOW;
                // SAFETY: a flow with a tag lies in a slot, which begins so many octets before it with that tag.
                let tag = unsafe { &*flow.flow.byte_sub(before).cast::<KernelWord>() };
                tag.still_is(flow.tag)
            }

            #[inline(always)]
            fn is_there(&self, key: &$key, held: &Held<Found>) -> bool {
                if held.flow.tag != 0 {
                    return Tables::<$address>::is_intact(self, &held.flow);
                }
                given(key, |key| table::beside(self, key))
                    .is_some_and(|now| core::ptr::eq(now.flow, held.flow.flow))
            }

            #[inline(always)]
            fn settled(&self, key: &$key) -> Option<Found> {
                table::settled(self, key, || {
                    let words = Words(key.words());
                    table::Parts::<$key>::beside(self, words.key())
                })
            }

            #[inline(always)]
            fn insert_translated(&self, key: &$key, record: &Record) -> Insertion {
                table::insert(self, Place::Translated, key, record, self.now())
            }

            #[inline(always)]
            fn insert_history(&self, key: &$key, record: &Record) -> Insertion {
                table::insert(self, Place::History, key, record, self.now())
            }

            #[inline(always)]
            fn insert_half_open(&self, key: &$key, record: &Record) -> Insertion {
                table::insert(self, Place::HalfOpen, key, record, self.now())
            }

            #[inline(always)]
            fn replace_half_open(&self, key: &$key, record: &Record) -> bool {
                $replace(key, record, Place::HalfOpen as u32) != 0
            }

            #[inline(always)]
            fn replace_history(&self, key: &$key, record: &Record) -> bool {
                $replace(key, record, Place::History as u32) != 0
            }

            #[inline(always)]
            fn remove(&self, key: &$key, place: Place) -> bool {
                $take(key, place as u32) != 0
            }

            #[inline(always)]
            fn admission(&self, key: &$key) -> Admission {
                Admission::from_code($admission(key))
            }

            #[inline(always)]
            fn takes_share(&self, key: &$key, of: Share) -> bool {
                $takes_share(key, of as u32) != 0
            }

            #[inline(always)]
            fn account(&self, key: &$key, more: bool) {
                if let Some(load) = LOAD.get($load) {
                    load.count(more);
                }
                if let Some(held) = $hosts.get_ptr(&key.host) {
                    // SAFETY: the pointer is of a lookup in this run of the program.
                    unsafe { &*held }.count(more);
                } else if more {
                    // Without room, the host is not counted, and has no limit of its own.
                    let _ = $hosts.insert(&key.host, &KernelWord::new(1), BPF_ANY.into());
                }
            }

            #[inline(always)]
            fn promote(&self, key: &$key) {
                $promote(key);
            }

            #[inline(always)]
            fn previous(&self, key: &$key) -> Option<Previous> {
                // SAFETY: a copy of plain integers, which may be replaced but not torn into pointers.
                unsafe { $previous.get(key) }.copied()
            }

            #[inline(always)]
            fn set_previous(&self, key: &$key, previous: &Previous) {
                let [numbers, rest] = previous.to_words();
                $set_previous(key, numbers, rest);
            }

            #[inline(always)]
            fn policy(&self, host: $address) -> Option<&Policy> {
                $policy.get(Key::new($bits, host))
            }

            #[inline(always)]
            fn mode(&self, key: &$key, passive: bool) -> Option<Mode> {
                Mode::from_number($mode(key, passive.into()) as u16)
            }

            #[inline(always)]
            fn keyed_offset(&self, key: &$key, generation: Generation) -> Offset {
                Offset($keyed_offset(key, generation as u32))
            }

            #[inline(always)]
            fn recomputed(&self, key: &$key) -> Option<Offset> {
                let (offset, is_keyed) = unpack($recomputed(key));
                (is_keyed != 0).then_some(Offset(offset))
            }

            #[inline(always)]
            fn remember_segment(&self, key: &$key, segment: &Numbers, offset: Offset) -> u32 {
                let [numbers, length] = segment.to_words();
                $remember_segment(key, numbers, length, offset.0)
            }

            #[inline(always)]
            fn newcomer(&self, key: &$key, syn: &mut Syn) -> Option<Settled> {
                let code = $newcomer(key, &raw mut *syn);
                settled(code, syn)
            }

            #[inline(always)]
            fn attempt(&self, key: &$key, syn: &mut Syn) -> Option<Settled> {
                let code = $settle(key, &raw mut *syn);
                settled(code, syn)
            }

            #[inline(always)]
            fn unpredictable(&self, key: &$key, [sent, other]: [u64; 2]) -> u64 {
                $unpredictable(key, sent, other)
            }

            #[inline(always)]
            fn late_translation(&self, key: &$key, segment: &Numbers) -> Option<Translation> {
                let [numbers, length] = segment.to_words();
                let mut by = Translation::NONE;
                let is_late = $late_translation(key, numbers, length, &raw mut by);
                (is_late != 0).then_some(by)
            }

            #[inline(always)]
            fn rewrote(&self, key: &$key, host_isn: Seq, wire_isn: Seq) {
                $log_rewrite(key, host_isn.0, wire_isn.0);
            }

            #[inline(always)]
            fn glimpse(&self, key: &$key, syn: &mut Syn) {
                $glimpse(key, &raw mut *syn);
            }

            #[inline(always)]
            fn sample(&self, key: &$key, isn: Seq, offset: Offset, syn: &Syn) {
                $sample(key, isn.0, offset.0, &raw const *syn);
            }

            #[inline(always)]
            fn tell(&self, key: &$key, told: &Told) -> bool {
                // A clock of its own: the coarse one moves every few milliseconds, a host's own many times in between.
                // SAFETY: the helper has no preconditions.
                let at = unsafe { bpf_ktime_get_ns() };
                SAMPLES
                    .output::<[u64; Sample::SIZE / 8]>(&Sample::words(at, key, told), 0)
                    .is_ok()
            }

            #[inline(always)]
            fn learnt(&self, key: &$key, sequence: Seq, offset: Offset, reason: u32) {
                $learnt(key, sequence.0, offset.0, reason);
            }

            #[inline(always)]
            fn await_answer(&self, key: &$key, peer_next: Seq, options: SynOptions) {
                $await_answer(key, peer_next.0, options.to_bits());
            }
        }

        impl table::Parts<$key> for Kernel {
            type Word = KernelWord;
            type Found = Found;

            #[inline(always)]
            fn spread(&self) -> &Spread {
                spread::here()
            }

            #[inline(always)]
            fn spreading(&self) -> Option<&Spreading<KernelWord>> {
                SPREAD.get(0)
            }

            #[inline(always)]
            fn set(&self, index: u32) -> Option<&Set<KernelWord, $key>> {
                $slots.get(index)
            }

            #[inline(always)]
            fn prints(&self, index: u32) -> Option<&KernelWord> {
                $prints.get(index)
            }

            #[inline(always)]
            fn found(flow: &Flow<KernelWord>, tag: u64) -> Found {
                Found { flow, tag }
            }

            #[inline(always)]
            fn overflowing(spreading: &Spreading<KernelWord>) -> &KernelWord {
                &spreading.overflowing[$family]
            }

            #[inline(always)]
            fn beside(&self, key: &$key) -> Option<Found> {
                $translated.get_ptr(key).map(|flow| Found { flow, tag: 0 })
            }

            #[inline(always)]
            fn put_beside(&self, key: &$key, record: &Record) -> Insertion {
                insertion($translated.insert(key, as_flow(record), BPF_NOEXIST.into()))
            }

            #[inline(always)]
            fn remove_beside(&self, key: &$key) -> bool {
                $translated.remove(key).is_ok()
            }

            #[inline(always)]
            fn announce(&self, place: Place, key: &$key, record: &Record, now: Tick) -> Put {
                Put::from_bits($announce(key, record, now.0, place as u32))
            }

            #[inline(always)]
            fn confirm(
                &self,
                place: Place,
                key: &$key,
                announcement: Announcement,
                is_beside: bool,
                now: Tick,
            ) -> bool {
                let announced = Put::Announced(announcement).to_bits();
                $confirm(key, announced, is_beside.into(), now.0, place as u32) != 0
            }

            #[inline(always)]
            fn strike_out(&self, key: &$key) -> bool {
                $strike_out(key) != 0
            }
        }

        /// A function of its own for the verifier.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $expect(key: *const $key) -> u32 {
            // SAFETY: the verifier lets only pointers through to whole, initialized values.
            if let Some(key) = unsafe { key.as_ref() } {
                table::expect(&Kernel, key);
            }
            0
        }

        /// A function of its own for the verifier.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $locate(key: *const $key, place: u32) -> u64 {
            // SAFETY: the verifier lets only pointers through to whole, initialized values.
            let key = unsafe { key.as_ref() };
            key.map_or(0, |key| table::locate(&Kernel, place_of(place), key))
        }

        /// A function of its own for the verifier.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $find(key: *const $key) -> u64 {
            // SAFETY: as above.
            let key = unsafe { key.as_ref() };
            key.map_or(0, |key| table::locate_what_counts(&Kernel, key))
        }

        /// A function of its own for the verifier.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $announce(
            key: *const $key,
            record: *const Record,
            now: u32,
            place: u32,
        ) -> u64 {
            // SAFETY: as above.
            let put = match unsafe { (key.as_ref(), record.as_ref()) } {
                (Some(key), Some(record)) => {
                    table::announce(&Kernel, place_of(place), key, record, Tick(now))
                }
                _ => Put::Full,
            };
            put.to_bits()
        }

        /// A function of its own for the verifier.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $confirm(
            key: *const $key,
            announced: u64,
            is_beside: u32,
            now: u32,
            place: u32,
        ) -> u32 {
            // SAFETY: as above.
            match (unsafe { key.as_ref() }, Put::from_bits(announced)) {
                (Some(key), Put::Announced(announcement)) => {
                    let (place, is_beside) = (place_of(place), is_beside != 0);
                    table::confirm(&Kernel, place, key, announcement, is_beside, Tick(now)).into()
                }
                _ => 0,
            }
        }

        /// A function of its own for the verifier.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $strike_out(key: *const $key) -> u32 {
            // SAFETY: as above.
            let key = unsafe { key.as_ref() };
            key.is_some_and(|key| table::strike_out(&Kernel, key))
                .into()
        }

        /// A function of its own for the verifier.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $replace(key: *const $key, record: *const Record, place: u32) -> u32 {
            // SAFETY: as above.
            match unsafe { (key.as_ref(), record.as_ref()) } {
                (Some(key), Some(record)) => {
                    table::replace(&Kernel, place_of(place), key, record).into()
                }
                _ => 0,
            }
        }

        /// A function of its own for the verifier.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $take(key: *const $key, place: u32) -> u32 {
            let copy = &mut MaybeUninit::uninit();
            // SAFETY: as above.
            let key = unsafe { copied(key, copy) };
            key.is_some_and(|key| table::remove(&Kernel, place_of(place), key, Kernel.now()))
                .into()
        }

        /// A function of its own for the stack. It returns what the one for known flows does.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $newcomer(key: *const $key, syn: *mut Syn) -> u32 {
            let place = &mut MaybeUninit::uninit();
            // SAFETY: the verifier lets only pointers through to whole, initialized values.
            match unsafe { (copied(key, place), syn.as_mut()) } {
                (Some(key), Some(syn)) => {
                    let settled = newcomer::settle::<$address, _>(&Kernel, key, syn);
                    code(settled, syn)
                }
                _ => Settled::Pass(PassReason::NotGuarded).code(),
            }
        }

        /// A function of its own for the verifier, which wants to see the pointers checked. The SYN comes
        /// back with offsets in the place of its numbers: the stack has no room for a second value.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $settle(key: *const $key, syn: *mut Syn) -> u32 {
            // SAFETY: the verifier lets only pointers through to whole, initialized values.
            match unsafe { (key.as_ref(), syn.as_mut()) } {
                (Some(key), Some(syn)) => {
                    let settled = settle::attempt::<$address, _>(&Kernel, key, syn);
                    code(settled, syn)
                }
                _ => Settled::Pass(PassReason::NotGuarded).code(),
            }
        }

        /// A function of its own for the stack.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $promote(key: *const $key) -> u32 {
            let place = &mut MaybeUninit::uninit();
            // SAFETY: as above.
            if let Some(key) = unsafe { copied(key, place) } {
                promotion::promote::<$address, _>(&Kernel, key);
            }
            0
        }

        /// A function of its own for the stack.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $admission(key: *const $key) -> u32 {
            // SAFETY: as above.
            let Some(key) = (unsafe { key.as_ref() }) else {
                return Admission::Full.code();
            };
            let host = key.host;
            let all = LOAD.get($load).map_or(0, KernelWord::load);
            let of_host = match $hosts.get_ptr(&host) {
                // SAFETY: the pointer is of a lookup in this run of the program.
                Some(held) => unsafe { &*held }.load(),
                None => 0,
            };
            let most = Kernel
                .settings()
                .map_or(0, |settings| settings.limits.max_flows);
            Admission::of(all, of_host, most).code()
        }

        /// A function of its own for the stack.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $takes_share(key: *const $key, of: u32) -> u32 {
            let of = Share::from_number(of);
            // SAFETY: as above.
            let takes = unsafe { key.as_ref() }
                .is_none_or(|key| remember::takes_share::<$address, _>(&Kernel, key, of));
            takes.into()
        }

        /// A function of its own for the stack.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $mode(key: *const $key, passive: u32) -> u32 {
            let port = u16::from_be_bytes;
            // SAFETY: as above.
            let mode = unsafe { key.as_ref() }.and_then(|key| {
                let (host, peer) = (port(key.host_port), port(key.peer_port));
                let (service, other) = if passive == 0 {
                    (peer, host)
                } else {
                    (host, peer)
                };
                Kernel.policy(key.host)?.mode_of(service, other)
            });
            mode.map_or(0, |mode| mode.to_number().into())
        }

        /// A function of its own for the stack.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $keyed_offset(key: *const $key, generation: u32) -> u32 {
            let generation = if generation == Generation::Before as u32 {
                Generation::Before
            } else {
                Generation::Current
            };
            // SAFETY: as above.
            unsafe { key.as_ref() }.map_or(0, |key| {
                keyed::offset_of::<$address, _>(&Kernel, key, generation).0
            })
        }

        /// A function of its own for the stack. The offset, and in the upper half whether there is one.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $recomputed(key: *const $key) -> u64 {
            // SAFETY: as above.
            unsafe { key.as_ref() }
                .and_then(|key| recompute::offset::<$address, _>(&Kernel, key))
                .map_or(0, |offset| pack(offset.0, 1))
        }

        /// A function of its own for the stack.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $remember_segment(
            key: *const $key,
            numbers: u64,
            length: u64,
            offset: u32,
        ) -> u32 {
            let place = &mut MaybeUninit::uninit();
            // SAFETY: as above.
            let Some(key) = (unsafe { copied(key, place) }) else {
                return 0;
            };
            let segment = Numbers::from_words([numbers, length]);
            recompute::remember::<$address, _>(&Kernel, key, &segment, Offset(offset))
        }

        /// A function of its own for the stack.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $unpredictable(key: *const $key, sent: u64, other: u64) -> u64 {
            // SAFETY: as above.
            match unsafe { key.as_ref() } {
                Some(key) => settle::unpredictable::<$address, _>(&Kernel, key, [sent, other]),
                None => 0,
            }
        }

        /// A function of its own for the stack.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $set_previous(key: *const $key, numbers: u64, rest: u64) -> u32 {
            let place = &mut MaybeUninit::uninit();
            // SAFETY: as above.
            if let Some(key) = unsafe { copied(key, place) } {
                let previous = Previous::from_words([numbers, rest]);
                // Without room, a late segment is treated as one of the new incarnation: a risk, not a
                // failure.
                let _ = $previous.insert(key, &previous, BPF_ANY.into());
            }
            0
        }

        /// A function of its own for the verifier and the stack.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $late_translation(
            key: *const $key,
            numbers: u64,
            length: u64,
            by: *mut Translation,
        ) -> u32 {
            let place = &mut MaybeUninit::uninit();
            // SAFETY: as above.
            let (Some(key), Some(by)) = (unsafe { (copied(key, place), by.as_mut()) }) else {
                return 0;
            };
            let segment = Numbers::from_words([numbers, length]);
            let late = previous::late_translation::<$address, _>(&Kernel, key, &segment);
            if let Some(translation) = late {
                *by = translation;
            }
            late.is_some().into()
        }

        /// A function of its own for the stack. Silent unless user space asked for this level.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $log_rewrite(key: *const $key, host_isn: u32, wire_isn: u32) -> u32 {
            // SAFETY: as above.
            if let Some(key) = unsafe { key.as_ref() } {
                debug!(
                    (),
                    "SYN {:i}:{} to {:i}:{}: {} leaves as {}",
                    $printable(key.host),
                    u16::from_be_bytes(key.host_port),
                    $printable(key.peer),
                    u16::from_be_bytes(key.peer_port),
                    host_isn,
                    wire_isn
                );
            }
            0
        }

        /// A function of its own for the stack.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $glimpse(key: *const $key, syn: *mut Syn) -> u32 {
            let place = &mut MaybeUninit::uninit();
            // SAFETY: as above.
            if let (Some(key), Some(syn)) = unsafe { (copied(key, place), syn.as_mut()) } {
                sample::glimpse::<$address, _>(&Kernel, key, syn);
            }
            0
        }

        /// A function of its own for the stack.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $sample(key: *const $key, isn: u32, offset: u32, syn: *const Syn) -> u32 {
            let place = &mut MaybeUninit::uninit();
            // SAFETY: as above.
            if let (Some(key), Some(syn)) = unsafe { (copied(key, place), syn.as_ref()) } {
                sample::take::<$address, _>(&Kernel, key, Seq(isn), Offset(offset), syn);
            }
            0
        }

        /// A function of its own for the stack.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $learnt(key: *const $key, sequence: u32, offset: u32, reason: u32) -> u32 {
            // SAFETY: as above.
            if let Some(key) = unsafe { key.as_ref() } {
                let (sequence, offset) = (Seq(sequence), Offset(offset));
                sample::learnt::<$address, _>(&Kernel, key, sequence, offset, reason);
            }
            0
        }

        /// A function of its own for the verifier.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $await_answer(key: *const $key, peer_next: u32, options: u64) -> u32 {
            let place = &mut MaybeUninit::uninit();
            // SAFETY: as above.
            if let Some(key) = unsafe { copied(key, place) } {
                let options = SynOptions::from_bits(options);
                remember::await_answer::<$address, _>(&Kernel, key, Seq(peer_next), options);
            }
            0
        }
    };
}

tables!(
    [u8; 4],
    Key4,
    32,
    0,
    SLOTS_V4,
    PRINTS_V4,
    TRANSLATED_V4,
    expect_v4,
    locate_v4,
    find_v4,
    announce_v4,
    confirm_v4,
    strike_out_v4,
    replace_v4,
    take_v4,
    PREVIOUS_V4,
    POLICY_V4,
    FILTER_V4,
    LOAD_V4,
    HOSTS_V4,
    promote_v4,
    admission_v4,
    takes_share_v4,
    newcomer_v4,
    settle_v4,
    mode_v4,
    keyed_offset_v4,
    recomputed_v4,
    remember_segment_v4,
    unpredictable_v4,
    set_previous_v4,
    late_translation_v4,
    await_answer_v4,
    log_rewrite_v4,
    glimpse_v4,
    sample_v4,
    learnt_v4,
    u32::from_be_bytes
);
tables!(
    [u8; 16],
    Key6,
    128,
    1,
    SLOTS_V6,
    PRINTS_V6,
    TRANSLATED_V6,
    expect_v6,
    locate_v6,
    find_v6,
    announce_v6,
    confirm_v6,
    strike_out_v6,
    replace_v6,
    take_v6,
    PREVIOUS_V6,
    POLICY_V6,
    FILTER_V6,
    LOAD_V6,
    HOSTS_V6,
    promote_v6,
    admission_v6,
    takes_share_v6,
    newcomer_v6,
    settle_v6,
    mode_v6,
    keyed_offset_v6,
    recomputed_v6,
    remember_segment_v6,
    unpredictable_v6,
    set_previous_v6,
    late_translation_v6,
    await_answer_v6,
    log_rewrite_v6,
    glimpse_v6,
    sample_v6,
    learnt_v6,
    core::convert::identity
);
