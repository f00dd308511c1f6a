//! Which skills the projects of a run ask for: no two of them the same.

use anyhow::Result;

use crate::failure::input;

/// Skills that a worker may have.
const SKILLS_MAX: u32 = 256;

/// The smallest set of skills from which every project asks for other ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Skills {
    /// In the set.
    all: u32,
    /// That one project asks for.
    each: u32,
}

impl Skills {
    /// # Errors
    /// No worker may have so many.
    pub(super) fn new(projects: u32, each: u32) -> Result<Self> {
        if each == 0 {
            return Ok(Self { all: 0, each });
        }
        let enough = |all: &u32| choices(*all, each) >= u64::from(projects);
        match (each..=SKILLS_MAX).find(enough) {
            Some(all) => Ok(Self { all, each }),
            None => Err(input(format!(
                "--projects {projects} with --requirements {each} takes more than the \
                 {SKILLS_MAX} skills that a worker may have; ask for more of them at a time"
            ))),
        }
    }

    /// All of them.
    pub(super) fn all(self) -> impl Iterator<Item = String> {
        (0..self.all).map(name)
    }

    /// Those of one project.
    pub(super) fn of(self, project: u32) -> impl Iterator<Item = String> {
        // The combinations in lexical order: each skill is in or out, by how many go with it.
        let (mut rank, mut left) = (u64::from(project), self.each);
        (0..self.all).filter_map(move |skill| {
            if left == 0 {
                return None;
            }
            let with_it = choices(self.all - skill - 1, left - 1);
            if rank < with_it {
                left -= 1;
                return Some(name(skill));
            }
            rank -= with_it;
            None
        })
    }
}

fn name(skill: u32) -> String {
    format!("bench:{skill}")
}

/// Ways to choose `some` of `all`; exact as far as it is needed, and then just many.
fn choices(all: u32, some: u32) -> u64 {
    if some > all {
        return 0;
    }
    (0..u64::from(some))
        .fold(1, |ways: u64, step| ways.saturating_mul(u64::from(all) - step) / (step + 1))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_projects_ask_for_the_same() {
        for (projects, each) in [(1, 1), (256, 1), (1_000, 2), (5, 3), (1_000, 4)] {
            let skills = Skills::new(projects, each).unwrap();
            let all: BTreeSet<String> = skills.all().collect();
            let asked: BTreeSet<Vec<String>> =
                (0..projects).map(|project| skills.of(project).collect()).collect();
            assert_eq!(asked.len(), projects as usize, "{projects}, {each}");
            assert!(asked.iter().all(|of| of.len() == each as usize));
            assert!(asked.iter().flatten().all(|skill| all.contains(skill)));
        }
    }

    #[test]
    fn the_set_is_no_larger_than_it_must_be() {
        assert_eq!(Skills::new(1_000, 2).unwrap().all().count(), 46);
        assert_eq!(Skills::new(9, 0).unwrap().all().count(), 0);
        assert_eq!(Skills::new(9, 0).unwrap().of(3).count(), 0);
        assert!(Skills::new(257, 1).unwrap_err().to_string().contains("256 skills"));
    }
}
