//! Every map. Names, keys and values are those of `isn_common::abi`.
//!
//! | map | writer | reader | when full |
//! |---|---|---|---|
//! | `SLOTS_*`, translated | the end of a handshake with an offset; upkeep removes what has ended | every packet | see `TRANSLATED_*` |
//! | `SLOTS_*`, half-open | SYNs of a guarded host, or to one | packets of handshakes | of two flows of a set, the one that was silent for longer is forgotten |
//! | `SLOTS_*`, history | the end of every other handshake | packets of flows that are not translated | of all flows of a set, the one that was silent for longest is forgotten |
//! | `PRINTS_*` | whoever takes a slot, or gives one up | packets of flows that may be in no table | - |
//! | `TRANSLATED_*` | see `SLOTS_*`, where a set of slots is full | packets of flows that are in no slot | the SYN passes or is dropped, as configured; counted |
//! | `SPREAD` | user space, once; what enters and leaves `TRANSLATED_*` | packets of flows that are in no slot; the programs have a copy of all but what is counted | - |
//! | `PREVIOUS_*` | SYNs that change a flow's offset | late segments of the incarnation before | the least recently used is forgotten |
//! | `POLICY_*` | user space | SYNs | user space refuses the prefix |
//! | `FILTER_*` | user space, before it guards; what restores flows | every plain packet | - |
//! | `SETTINGS` | user space | SYNs | - |
//! | `COUNTERS` | every packet, its own CPU's | user space | - |
//! | `LOAD`, `HOSTS_*` | what enters and leaves `TRANSLATED_*` | SYNs that need an offset | a host that is not counted has no limit of its own |
//! | `SHARES` | what becomes half-open or history, or enters `SAMPLES` | the same | two hosts share a cell |
//! | `SAMPLES` | SYNs of hosts | user space, which takes them out | the sample is lost; counted |
//! | `STORMS` | acknowledgments of unknown flows | the same | two flows share a cell |
//! | `SWEPT` | upkeep | user space | - |
//! | `PORTS`, `TO_HOSTS`, `TO_PEERS` | user space | packets that may be forwarded | user space refuses the interface |
//! | `NEIGHBOURS` | packets that are forwarded | the same | neighbours take turns in a cell |

use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC},
    macros::map,
    maps::{Array, DevMapHash, HashMap, LpmTrie, LruHashMap, PerCpuArray, RingBuf},
};
use isn_common::{
    abi::{
        Counters,
        flow::{Flow, Previous},
        forward::Port,
        maps::{MOST_PORTS, NEIGHBOURS_LENGTH, SAMPLES_SIZE, SHARES_LENGTH, STORMS_LENGTH},
        policy::Policy,
        settings::Settings,
    },
    filter,
    flow::{Key4, Key6},
    slots::{Set, Spreading},
    storm::Cell,
};

use crate::words::KernelWord;

/// Default room for translated flows of each family, whatever their slots; user space may ask for another.
const TRANSLATED: u32 = 131_072;
/// Sets of slots of all tables where user space asks for no other number.
const SETS: u32 = 1;
/// Room for previous incarnations of each family: they matter for two minutes.
const PREVIOUS: u32 = 16_384;
/// Guarded prefixes of each family.
const PREFIXES: u32 = 4_096;

#[map]
pub static SLOTS_V4: Array<Set<KernelWord, Key4>> = Array::with_max_entries(SETS, BPF_F_MMAPABLE);
#[map]
pub static SLOTS_V6: Array<Set<KernelWord, Key6>> = Array::with_max_entries(SETS, BPF_F_MMAPABLE);
#[map]
pub static PRINTS_V4: Array<KernelWord> = Array::with_max_entries(SETS, BPF_F_MMAPABLE);
#[map]
pub static PRINTS_V6: Array<KernelWord> = Array::with_max_entries(SETS, BPF_F_MMAPABLE);
#[map]
pub static SPREAD: Array<Spreading<KernelWord>> = Array::with_max_entries(1, 0);
#[map]
pub static TRANSLATED_V4: HashMap<Key4, Flow<KernelWord>> =
    HashMap::with_max_entries(TRANSLATED, 0);
#[map]
pub static TRANSLATED_V6: HashMap<Key6, Flow<KernelWord>> =
    HashMap::with_max_entries(TRANSLATED, 0);
#[map]
pub static PREVIOUS_V4: LruHashMap<Key4, Previous> = LruHashMap::with_max_entries(PREVIOUS, 0);
#[map]
pub static PREVIOUS_V6: LruHashMap<Key6, Previous> = LruHashMap::with_max_entries(PREVIOUS, 0);
#[map]
pub static POLICY_V4: LpmTrie<[u8; 4], Policy> =
    LpmTrie::with_max_entries(PREFIXES, BPF_F_NO_PREALLOC);
#[map]
pub static POLICY_V6: LpmTrie<[u8; 16], Policy> =
    LpmTrie::with_max_entries(PREFIXES, BPF_F_NO_PREALLOC);
#[map]
pub static FILTER_V4: Array<KernelWord> = Array::with_max_entries(filter::WORDS_V4, BPF_F_MMAPABLE);
#[map]
pub static FILTER_V6: Array<KernelWord> = Array::with_max_entries(filter::WORDS_V6, BPF_F_MMAPABLE);
#[map]
pub static SETTINGS: Array<Settings> = Array::with_max_entries(1, 0);
#[map]
pub static COUNTERS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(1, 0);
#[map]
pub static LOAD: Array<KernelWord> = Array::with_max_entries(2, 0);
#[map]
pub static HOSTS_V4: HashMap<[u8; 4], KernelWord> =
    HashMap::with_max_entries(TRANSLATED, BPF_F_NO_PREALLOC);
#[map]
pub static HOSTS_V6: HashMap<[u8; 16], KernelWord> =
    HashMap::with_max_entries(TRANSLATED, BPF_F_NO_PREALLOC);
#[map]
pub static SHARES: Array<KernelWord> = Array::with_max_entries(SHARES_LENGTH, 0);
#[map]
pub static SAMPLES: RingBuf = RingBuf::with_byte_size(SAMPLES_SIZE, 0);
#[map]
pub static STORMS: Array<Cell<KernelWord>> = Array::with_max_entries(STORMS_LENGTH, 0);
#[map]
pub static SWEPT: Array<KernelWord> = Array::with_max_entries(3, 0);
#[map]
pub static PORTS: HashMap<u32, Port> = HashMap::with_max_entries(MOST_PORTS, 0);
#[map]
pub static TO_HOSTS: DevMapHash = DevMapHash::with_max_entries(MOST_PORTS, 0);
#[map]
pub static TO_PEERS: DevMapHash = DevMapHash::with_max_entries(MOST_PORTS, 0);
#[map]
pub static NEIGHBOURS: Array<KernelWord> = Array::with_max_entries(NEIGHBOURS_LENGTH, 0);
