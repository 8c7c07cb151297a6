from __future__ import annotations


def test_a_turn_is_taken_once(jobs):
    assert jobs.take_turn("seal", every_s=60)
    assert not jobs.take_turn("seal", every_s=60)


def test_turns_at_different_things_do_not_meet(jobs):
    assert jobs.take_turn("seal", every_s=60)
    assert jobs.take_turn("loops", every_s=60)


def test_the_next_turn_comes_when_its_time_has_come(jobs, clock):
    jobs.take_turn("seal", every_s=60)

    clock.advance(50_000_000)
    early = jobs.take_turn("seal", every_s=60)
    clock.advance(10_000_000)

    assert not early
    assert jobs.take_turn("seal", every_s=60)
