//! The program that user space runs over requests for upkeep (`isn_common::upkeep`). It is attached to nothing: the packet is
//! the request, and what it returns is how many flows it has removed or put in.

use core::mem::MaybeUninit;

use aya_ebpf::{
    bindings::__sk_buff, helpers::bpf_skb_load_bytes, macros::classifier, programs::TcContext,
};
use isn_common::{
    abi::flow::Record,
    expiry::Place,
    flow::{Key4, Key6},
    upkeep::{self, Header, Task},
};

use crate::{
    kernel::{Kernel, copied},
    maps::SWEPT,
};

/// Does what the request says.
#[classifier]
pub fn isn_upkeep(ctx: TcContext) -> i32 {
    let skb = ctx.skb.skb;
    let Some(octets) = load::<[u8; 4]>(skb, 0) else {
        return 0;
    };
    let Some(Header { task, place, is_v6 }) = Header::from_octets(octets) else {
        return 0;
    };
    let done = match (task, is_v6) {
        (Task::Expire, false) => expire_v4(skb, place as u32),
        (Task::Expire, true) => expire_v6(skb, place as u32),
        (Task::Restore, false) => restore_v4(skb, place as u32),
        (Task::Restore, true) => restore_v6(skb, place as u32),
        (Task::Pin, false) => pin_v4(skb, place as u32),
        (Task::Pin, true) => pin_v6(skb, place as u32),
    };
    if task == Task::Expire
        && let Some(swept) = SWEPT.get(upkeep::swept(place))
    {
        swept.add(done.into());
    }
    done.cast_signed()
}

/// The value at an offset of the request, `None` behind its end.
#[inline(always)]
fn load<T: Copy>(skb: *mut __sk_buff, at: usize) -> Option<T> {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the helper writes exactly the given number of octets, or fails; every `T` here is plain integers.
    unsafe {
        let done = bpf_skb_load_bytes(
            skb.cast(),
            at as u32,
            value.as_mut_ptr().cast(),
            size_of::<T>() as u32,
        );
        (done == 0).then(|| value.assume_init())
    }
}

macro_rules! tasks {
    ($address:ty, $key:ty, $expire:ident, $expire_one:ident, $pin:ident, $pin_one:ident, $restore:ident, $restore_one:ident) => {
        fn $expire(skb: *mut __sk_buff, place: u32) -> u32 {
            let mut done = 0u32;
            for nth in 0..Header::MOST_FLOWS {
                let Some(key) = load::<$key>(skb, Header::LENGTH + nth * size_of::<$key>()) else {
                    break;
                };
                done += $expire_one(&raw const key, place);
            }
            done
        }

        fn $pin(skb: *mut __sk_buff, place: u32) -> u32 {
            let mut done = 0u32;
            for nth in 0..Header::MOST_FLOWS {
                let Some(key) = load::<$key>(skb, Header::LENGTH + nth * size_of::<$key>()) else {
                    break;
                };
                done += $pin_one(&raw const key, place);
            }
            done
        }

        fn $restore(skb: *mut __sk_buff, place: u32) -> u32 {
            let each = size_of::<$key>() + size_of::<Record>();
            let mut done = 0u32;
            for nth in 0..Header::MOST_FLOWS {
                let at = Header::LENGTH + nth * each;
                let Some(key) = load::<$key>(skb, at) else {
                    break;
                };
                let Some(record) = load::<Record>(skb, at + size_of::<$key>()) else {
                    break;
                };
                done += $restore_one(&raw const key, &raw const record, place);
            }
            done
        }

        /// A function of its own for the verifier, which would go through it anew for every flow.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $expire_one(key: *const $key, place: u32) -> u32 {
            let copy = &mut MaybeUninit::uninit();
            // SAFETY: the verifier lets only pointers through to whole, initialized values.
            let key = unsafe { copied(key, copy) };
            let (Some(key), Some(place)) = (key, Place::from_number(place as u8)) else {
                return 0;
            };
            upkeep::expire::<$address, _>(&Kernel, key, place).into()
        }

        /// The same.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $pin_one(key: *const $key, place: u32) -> u32 {
            let copy = &mut MaybeUninit::uninit();
            // SAFETY: as above.
            let key = unsafe { copied(key, copy) };
            let (Some(key), Some(place)) = (key, Place::from_number(place as u8)) else {
                return 0;
            };
            upkeep::pin::<$address, _>(&Kernel, key, place).into()
        }

        /// The same.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $restore_one(key: *const $key, record: *const Record, place: u32) -> u32 {
            let (copy, own) = (&mut MaybeUninit::uninit(), &mut MaybeUninit::uninit());
            // SAFETY: as above.
            let key = unsafe { copied(key, copy) };
            // SAFETY: as above.
            let record = unsafe { copied(record, own) };
            let (Some(key), Some(record), Some(place)) =
                (key, record, Place::from_number(place as u8))
            else {
                return 0;
            };
            upkeep::restore::<$address, _>(&Kernel, key, place, *record).into()
        }
    };
}

tasks!(
    [u8; 4],
    Key4,
    expire_v4,
    expire_one_v4,
    pin_v4,
    pin_one_v4,
    restore_v4,
    restore_one_v4
);
tasks!(
    [u8; 16],
    Key6,
    expire_v6,
    expire_one_v6,
    pin_v6,
    pin_one_v6,
    restore_v6,
    restore_one_v6
);
