//! From the cube to the page: seen from above and from the right, so that the diagonal on which steady hosts lie is long.

/// How far the eye is turned about the upright axis, in radians.
const TURN: f64 = 0.50;
/// How high it looks from, in radians.
const HEIGHT: f64 = 0.40;
/// Its distance from the middle, in half edges of the cube: far enough that parallels stay nearly so.
const DISTANCE: f64 = 7.5;
/// What is in the middle of the picture: seen from above and near, more of the cube is below its own middle.
const MIDDLE: (f64, f64) = (0.074, -0.169);

/// Where a place of the cube is seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// To the right of the middle, in half edges of the cube.
    pub right: f64,
    /// Above the middle.
    pub up: f64,
    /// From 0, the corner nearest to the eye, to 1, the farthest.
    pub depth: f64,
}

/// No place of the cube is seen farther from the middle than this, to the side.
pub const WIDEST: f64 = 1.44;
/// And this, up or down.
pub const HIGHEST: f64 = 1.48;

/// Where (across, into the page, up) is seen, each from −1 to 1.
pub fn project([across, into, up]: [f64; 3]) -> Seen {
    let (sin, cos) = TURN.sin_cos();
    let right = across * cos - into * sin;
    let back = across * sin + into * cos;
    let (sin, cos) = HEIGHT.sin_cos();
    let away = back * cos - up * sin;
    let nearness = DISTANCE / (DISTANCE + away);
    let farthest = 3_f64.sqrt();
    Seen {
        right: right * nearness - MIDDLE.0,
        up: (up * cos + back * sin) * nearness - MIDDLE.1,
        depth: f64::midpoint(away / farthest, 1.0).clamp(0.0, 1.0),
    }
}

/// The walls that the eye looks at from inside, as (axis, its end): right, back and floor.
pub const WALLS: [(usize, f64); 3] = [(0, 1.0), (1, 1.0), (2, -1.0)];

#[cfg(test)]
mod tests {
    use super::*;

    fn corners() -> impl Iterator<Item = [f64; 3]> {
        (0..8).map(|corner| [1, 2, 4].map(|bit| if corner & bit == 0 { -1.0 } else { 1.0 }))
    }

    #[test]
    fn the_cube_fits_its_frame_and_fills_it() {
        let (mut widest, mut highest) = (0.0_f64, 0.0_f64);
        for corner in corners() {
            let seen = project(corner);
            widest = widest.max(seen.right.abs());
            highest = highest.max(seen.up.abs());
            assert!((0.0..=1.0).contains(&seen.depth));
        }
        assert!((0.98..=1.0).contains(&(widest / WIDEST)), "{widest}");
        assert!((0.98..=1.0).contains(&(highest / HIGHEST)), "{highest}");
    }

    #[test]
    fn the_ends_of_the_diagonal_are_far_apart_and_right_is_right() {
        let (low, high) = (project([-0.9; 3]), project([0.9; 3]));
        assert!(high.up - low.up > 1.8 && high.right > low.right);
        assert!(project([1.0, 0.0, 0.0]).right > project([0.0; 3]).right + 0.8);
        assert!(project([0.0, 1.0, 0.0]).depth > project([0.0; 3]).depth);
    }

    #[test]
    fn walls_lie_behind_the_middle() {
        for (axis, end) in WALLS {
            let mut place = [0.0; 3];
            place[axis] = end;
            assert!(project(place).depth > 0.5);
        }
    }
}
