# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Installing the vendor's fix, one remedy at a time: what one set of packages lacks must not keep back the others."""

import collections
import contextlib
import os

from ansible_collections.stopgap.remediation.plugins.module_utils import decide, patches, steps
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import StopgapError
from ansible_collections.stopgap.remediation.plugins.module_utils.packages.tools import InstallError
from ansible_collections.stopgap.remediation.plugins.module_utils.rollback import way_back

# `look` is check mode with fresh lists, to say beforehand what the run that follows will find
Options = collections.namedtuple("Options", "conffiles lock_timeout restart check look")
Options.__new__.__defaults__ = (False,)
Outcome = collections.namedtuple("Outcome", "state code reason")
LIFT_FIRST = "lift that (--force --reason), and fix it in the same breath"
REBOOT_MARKS = ("/run/reboot-required", "/var/run/reboot-required", "/run/reboot-needed")


class Fixing:
    """One run over a host: the lists are fetched once, and only if something has to be installed."""

    def __init__(self, facts, options):
        self.facts, self.options = facts, options
        self.family = facts.family
        self.updated, self.trouble = False, ""

    def fix(self, remedy):
        """A patch result (contracts, section 3)."""
        before, self.way_back = self.facts.installed, None
        names = here(remedy, before)
        outcome, candidates = self.attempt(remedy, names)
        if self.family and not self.options.check:
            self.facts.refresh()
            outcome = confirmed(outcome, remedy, self.facts)
        packages = [shown(name, before, candidates, remedy, self.facts) for name in names]
        result = {
            "remedy": remedy["id"],
            "revision": remedy["revision"],
            "packages": packages,
            "conffiles": [],
            "restarted": [],
            "left": [],
            "old_code": [],
            "reboot_required": False,
            "rollback": self.way_back or self.earlier_way_back(remedy),
        }
        if names and outcome.state in ("installed", "already"):
            outcome = self.follow_up(remedy, outcome, result, names)
        moved = any(package["before"] != package["after"] for package in packages)
        changed = moved or bool(result["restarted"]) or outcome.state in ("installed", "would_install")
        return dict(result, changed=changed, state=outcome.state, code=outcome.code, reason=outcome.reason)

    # --- the packages

    def attempt(self, remedy, names):
        """(Outcome, candidates), whatever stands in the way."""
        try:
            return self.install(remedy, names)
        except InstallError as error:
            return Outcome("refused" if error.clean else "failed", error.code, error.reason), {}
        except (StopgapError, OSError) as error:
            return Outcome("failed", "tool_failed", str(error)), {}

    def install(self, remedy, names):
        """(Outcome, candidates); raises what stood in the way."""
        verdict = plan(remedy, names, self.facts)
        if verdict.code == "broken_package" and self.earlier_way_back(remedy):  # our own fix broke on the way
            return verdict._replace(state="failed", code="still_broken_package"), {}
        if verdict.state == "already" and self.options.conffiles == "replace":
            return self.take_conffiles(verdict, names), {}
        if verdict.state != "would_install":
            return verdict, {}
        unfinished = self.family.facts.unfinished()
        if unfinished:
            mend = f"look why, then {self.family.installer.MEND}; it is not done unasked"
            return Outcome("refused", "broken_package", f"{', '.join(unfinished[:5])}: {mend}"), {}
        for last in (False, True):
            self.fetch_lists(again=last)
            candidates = self.family.installer.candidates(names)
            obstacle = obstacle_in(remedy, candidates, self.facts, self.trouble)
            if obstacle:
                return self.with_pins(obstacle, names), candidates
            try:
                return self.install_set(remedy, names, candidates), candidates
            except InstallError as error:
                # one .deb that is gone from the mirror fails its whole set: the lists may have been behind
                if last or self.options.check or error.code != "download_failed":
                    raise

    def with_pins(self, obstacle, names):
        """An old candidate, though a repository has a newer version: then a rule of this host stands in the way."""
        if obstacle.code not in ("candidate_too_old", "no_candidate"):
            return obstacle
        kept_back = self.family.installer.pinned(names)
        told = "; ".join(f"{name} {kept_back[name]}" for name in sorted(kept_back))
        return Outcome("refused", "pinned", f"{obstacle.reason}; {told}") if told else obstacle

    def fetch_lists(self, again):
        if (self.options.check and not self.options.look) or (self.updated and not again):
            return
        self.trouble, self.updated = self.family.installer.update(self.options.lock_timeout), True

    def install_set(self, remedy, names, candidates):
        wanted = [
            self.family.installer.spec(fact, candidates[name]["version"])
            for name, fact in self.upgradable(names, candidates)
        ]
        ours = self.held_by_us(remedy, names)
        if self.options.check and not ours:
            self.family.installer.simulate(wanted)
        with self.let_go(ours):
            return self.install_wanted(remedy, names, candidates, wanted, ours)

    @contextlib.contextmanager
    def let_go(self, ours):
        """The fix is what our own mitigation waits for; where it does not come, the hold stays."""
        freed = [] if self.options.check else ours
        for fact in freed:
            self.family.keeping.unhold(fact)
        try:
            yield
        except BaseException:
            for fact in freed:
                with contextlib.suppress(StopgapError):  # then assess finds the mitigation lost
                    self.family.keeping.hold(fact)
            raise

    def install_wanted(self, remedy, names, candidates, wanted, ours):
        told = ", ".join(wanted)
        planned = None if ours and self.options.check else self.family.past.moves(wanted)
        moves = planned or self.named_moves(names, candidates)
        self.way_back = way_back(self.family, moves)
        if self.options.check:
            return Outcome("would_install", "would_install", f"would install {told}{no_way_back(self.way_back)}")
        record = patches.begin(remedy, moves)
        try:
            note = self.family.installer.install(wanted, self.options.conffiles, self.options.lock_timeout)
        except InstallError as error:
            if error.clean:
                patches.close(record, state="not_installed")
                self.way_back = None
            raise
        told += f" ({note})" if note else ""
        told += patches.close(record, state="installed", note=note or "")
        return Outcome("installed", "installed", f"installed {told}{no_way_back(self.way_back)}")

    def held_by_us(self, remedy, names):
        ours = self.facts.moved_by_us(remedy["id"])
        return [fact for name in names if name in ours for fact in self.facts.installed[name] if fact["held"]]

    def named_moves(self, names, candidates):
        """What is known without asking the package manager: the packages themselves, not what they pull in."""
        return [
            {"name": name, "arch": fact["arch"], "before": fact["version"], "after": candidates[name]["version"]}
            for name, fact in self.upgradable(names, candidates)
        ]

    def upgradable(self, names, candidates):
        """[(name, fact)]: one that is newer than what the repositories have, a vendor's hotfix say, stays."""
        return [
            (name, fact)
            for name in names
            for fact in decide.current(self.facts.installed[name])
            if name in candidates and self.facts.compare(fact["version"], candidates[name]["version"]) < 0
        ]

    def earlier_way_back(self, remedy):
        """Of a fix that a run before this one installed, and that may turn out bad now."""
        try:
            record = patches.latest(remedy["id"]) if self.family else None
            return way_back(self.family, record["packages"]) if record else None
        except StopgapError as error:
            return {"possible": False, "from": None, "packages": [], "reason": str(error)}

    def take_conffiles(self, verdict, names):
        """The fix is on disk, but a local conffile may keep it from working: take the package's now."""
        edited = self.family.conffiles.still_edited(self.conffiles(names), names)
        if not edited:
            return verdict
        paths = ", ".join(conffile.path for conffile in edited)
        if self.options.check:
            return Outcome("would_install", "would_replace_conffiles", f"would take the package's {paths}")
        owners = sorted({conffile.package for conffile in edited})
        installed = self.family.facts.installed(owners)
        wanted = [self.family.installer.spec(fact, fact["version"]) for name in owners for fact in installed[name]]
        self.fetch_lists(again=False)
        self.family.installer.install(wanted, "replace", self.options.lock_timeout, reinstall=True)
        if self.family.conffiles.still_edited(edited, names):
            return Outcome("refused", "conffile_kept", f"{paths}: the package's version could not be taken")
        old = self.family.conffiles.OLD
        return Outcome("installed", "conffiles_replaced", f"took the package's {paths}; the old one stays as {old}")

    def conffiles(self, names):
        sources = {fact["source"] for name in names for fact in self.facts.installed.get(name, [])}
        return self.family.conffiles.of(self.family.facts.siblings(sources) if sources else [])

    # --- what follows

    def follow_up(self, remedy, outcome, result, names):
        """Restart what has to be, and tell what is left: also where a run before this one was cut short."""
        old_code, unknown = self.old_code(names)
        steps_due = outcome.state == "installed" or old_code or unknown
        if steps_due and self.options.restart and self.options.check:
            outcome = would_follow(remedy, outcome)
        elif steps_due and self.options.restart:
            outcome = self.run_steps(remedy, outcome, result)
            old_code, unknown = self.old_code(names)
        result.update(
            conffiles=self.family.conffiles.report(self.conffiles(names)),
            old_code=old_code,
            reboot_required=self.reboot_required(remedy, old_code or []),
        )
        unknown = unknown or decide.still_running(old_code)
        return outcome._replace(reason=f"{outcome.reason}; {unknown}") if unknown else outcome

    def old_code(self, names):
        """(processes, ""), or (None, why it cannot be told): that is not the same as none."""
        try:
            return self.facts.old_code(names), ""
        except OSError as error:
            return None, f"what still runs the old code is not known: {error}"

    def run_steps(self, remedy, outcome, result):
        try:
            done = steps.run_steps(remedy["fix"]["then"])
        except StopgapError as error:
            if isinstance(error, steps.StepFailed):
                result.update(error.outcome)
            return outcome._replace(
                code="step_failed", reason=f"{outcome.reason}, but what should follow failed: {error}"
            )
        result.update(done)
        return outcome

    def reboot_required(self, remedy, old_code):
        if any(process["pid"] == 1 for process in old_code):
            return True
        fixed = decide.fixed_on_disk(remedy["affected"]["packages"], self.facts)
        due = decide.reboot_due(fixed, self.facts.kernel, self.facts.compare)
        return bool(due) or any(os.path.exists(mark) for mark in REBOOT_MARKS)


def would_follow(remedy, outcome):
    """Check mode: what is on disk stays, and the run would still restart what is on the old code."""
    try:
        units = steps.would_restart(remedy["fix"]["then"])
    except (StopgapError, OSError) as error:
        return outcome._replace(reason=f"{outcome.reason}; what should follow cannot be told: {error}")
    told = f"would restart {', '.join(units)}: {outcome.reason}"
    return Outcome("would_install", "would_restart", told) if units else outcome


def no_way_back(back):
    """Said before the change, and once more with it."""
    return "" if back["possible"] else f"; this fix cannot be rolled back: {back['reason']}"


def plan(remedy, names, facts):
    """What there is to do, before anything is fetched. Pure."""
    if facts.unreadable:
        return Outcome("refused", "no_package_manager", facts.unreadable)
    verdict = on_disk(remedy, facts)
    if verdict.code == "fixed_on_disk":
        return Outcome("already", "already_fixed", verdict.reason)
    if verdict.code == "broken_package":
        return Outcome("refused", verdict.code, f"{verdict.reason}: look why, then {facts.family.installer.MEND}")
    if verdict.code == "distro_unknown":
        return Outcome("refused", verdict.code, verdict.reason)
    sheltered = decide.is_sheltered(verdict, remedy, facts)
    if sheltered and verdict.code == "not_installed":
        return Outcome(
            "refused", "removed_by_mitigation", f"{verdict.name} was removed by its mitigation: {LIFT_FIRST}"
        )
    if verdict.code != "below_fixed" and not sheltered:
        return Outcome("already", verdict.code, verdict.reason)
    if not names:
        return Outcome("refused", "no_fix_package", f"{verdict.reason}, and the fix names no package that is installed")
    ours = facts.moved_by_us(remedy["id"])
    held = [name for name in names if name not in ours and any(fact["held"] for fact in facts.installed[name])]
    if held:
        return Outcome("refused", "held", f"{', '.join(held)}: on hold; {facts.family.installer.RELEASE}, or mitigate")
    return Outcome("would_install", "below_fixed", verdict.reason)


def obstacle_in(remedy, candidates, facts, trouble):
    """Why the repositories do not reach the fixed versions, or None. Pure."""
    reasons = []
    for package in remedy["affected"]["packages"]:
        fixes, name = package["fixed_in"].get(facts.distro), package["name"]
        there = facts.installed.get(name)
        if not isinstance(fixes, list) or not there or is_fixed(package, there, facts):
            continue
        candidate = candidates.get(name)
        if candidate is None:
            reasons.append(("no_candidate", f"{name}: no repository has a version of it"))
            continue
        fixed, required = decide.meets(candidate["source_version"], fixes, facts.compare)
        if not fixed:
            reasons.append(
                ("candidate_too_old", f"{name}: candidate {candidate['source_version']} < required {required}")
            )
    if not reasons:
        return None
    told = "; ".join(reason for _code, reason in reasons)
    if trouble:
        return Outcome("refused", "repository_down", f"{told}; not every repository could be read: {trouble}")
    return Outcome("refused", reasons[0][0], told)


def is_fixed(package, there, facts):
    verdicts = decide.judge_package(package, facts.distro, there, facts.compare)
    return all(verdict.code == "fixed_on_disk" for verdict in verdicts)


def confirmed(outcome, remedy, facts):
    """An installation counts by what dpkg has afterwards, not by an exit code. Pure."""
    verdict = on_disk(remedy, facts)
    if outcome.state != "installed" or verdict.code not in ("below_fixed", "broken_package"):
        return outcome
    return Outcome("failed", f"still_{verdict.code}", f"{outcome.reason}, yet {verdict.reason}")


def on_disk(remedy, facts):
    return decide.on_disk(remedy["affected"]["packages"], facts.distro, facts.installed, facts.compare)


def here(remedy, installed):
    return [name for name in remedy["fix"]["packages"] if installed.get(name)]


def shown(name, before, candidates, remedy, facts):
    required = {package["name"]: package["fixed_in"].get(facts.distro) for package in remedy["affected"]["packages"]}
    fixes = required.get(name)
    return {
        "name": name,
        "before": before[name][0]["version"],
        "after": (facts.installed.get(name) or [{"version": None}])[0]["version"],
        "candidate": candidates.get(name, {}).get("version"),
        "required": fixes if isinstance(fixes, list) else [],
    }
