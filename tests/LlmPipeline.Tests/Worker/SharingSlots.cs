using Microsoft.Extensions.Time.Testing;

namespace LlmPipeline.Tests;

public sealed class SharingSlots
{
    private const long Mebibyte = 1024 * 1024;
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task A_call_that_is_over_makes_room_for_another_before_its_answer_is_stored()
    {
        var slots = new Slots(4, _time);
        await TakeAsync(slots, 4);
        Assert.Equal(0, slots.Take(10));
        Call(slots, 3);
        Assert.Equal(1, slots.Running);
        await TakeAsync(slots, 3);
    }

    [Fact]
    public async Task Nothing_is_called_while_twice_as_many_answers_as_there_are_slots_wait_to_be_stored()
    {
        var slots = new Slots(2, _time);
        await TakeAsync(slots, 2);
        Call(slots, 2);
        await TakeAsync(slots, 2);
        Call(slots, 2);
        slots.Settled();
        slots.Settled();
        Assert.Equal(2, slots.Take(10));
        var turns = Enumerable.Range(0, 2).Select(_ => slots.EnterAsync().AsTask()).ToList();
        Assert.DoesNotContain(turns, turn => turn.IsCompleted);
        slots.Stored(1);
        Assert.True(await turns[0].WaitAsync(TimeSpan.FromSeconds(60)));
        Assert.False(turns[1].IsCompleted);
        slots.Stored(1);
        Assert.True(await turns[1].WaitAsync(TimeSpan.FromSeconds(60)));
    }

    [Fact]
    public async Task Nothing_is_taken_while_too_many_are_unsettled()
    {
        var slots = new Slots(4, _time);
        await TakeAsync(slots, 4);
        Call(slots, 4);
        slots.Stored(4);
        await TakeAsync(slots, 4);
        Call(slots, 4);
        slots.Stored(4);
        Assert.Equal(0, slots.Running);
        var seen = slots.Freed.Version;
        Assert.Equal(0, slots.Take(10));
        slots.Settled();
        slots.Settled();
        Assert.NotEqual(seen, slots.Freed.Version);
        await TakeAsync(slots, 2);
        Assert.Equal(2, slots.Running);
    }

    [Fact]
    public async Task Where_calls_are_long_no_job_is_held_that_has_no_slot()
    {
        var slots = new Slots(64, _time);
        await TakeAsync(slots, 64);
        for (var n = 0; n < 64; n++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            End(slots, 1);
            await TakeAsync(slots, 1);
        }
    }

    [Fact]
    public async Task Where_calls_are_short_as_many_are_held_as_get_a_slot_soon_and_they_are_taken_together()
    {
        var slots = new Slots(80, _time);
        await TakeAsync(slots, 80);
        // 400 a second, looked at each 50 ms: four in 10 ms.
        for (var n = 1; n <= 20; n++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(2.5));
            End(slots, 1);
            await TakeAsync(slots, 1, more: n < 20 ? 0 : 4);
        }

        var waiting = Enumerable.Range(0, 4).Select(_ => slots.EnterAsync().AsTask()).ToList();
        Assert.Equal(80, slots.Running);
        Assert.DoesNotContain(waiting, turn => turn.IsCompleted);

        End(slots, 1);
        Assert.True(await waiting[0].WaitAsync(TimeSpan.FromSeconds(60)));
        Assert.Equal(80, slots.Running);
        Assert.Equal(0, slots.Take(10));
        End(slots, 1);
        Assert.True(await waiting[1].WaitAsync(TimeSpan.FromSeconds(60)));
        Assert.Equal(2, slots.Take(10));
    }

    [Fact]
    public async Task A_job_that_never_had_a_slot_frees_none()
    {
        var slots = new Slots(2, _time);
        await TakeAsync(slots, 2);
        slots.Called(entered: false, isAnswered: false);
        Assert.Equal(2, slots.Running);
        Assert.Equal(1, slots.Take(10));
        Assert.False(slots.EnterAsync().IsCompleted);
    }

    [Fact]
    public void Room_for_which_no_job_came_is_there_again()
    {
        var slots = new Slots(3, _time);
        Assert.Equal(3, slots.Take(10));
        var seen = slots.Freed.Version;
        slots.GiveBack(2);
        Assert.NotEqual(seen, slots.Freed.Version);
        Assert.Equal(2, slots.Take(10));
    }

    [Fact]
    public async Task What_waits_for_a_slot_is_given_back_when_the_process_stops()
    {
        var slots = new Slots(1, _time);
        await TakeAsync(slots, 1);
        var waiting = slots.EnterAsync().AsTask();
        slots.Close();
        Assert.False(await waiting.WaitAsync(TimeSpan.FromSeconds(60)));
        Assert.False(await slots.EnterAsync());
    }

    [Fact]
    public async Task Nothing_is_claimed_ahead_while_large_jobs_wait_for_a_slot()
    {
        const long Large = 9 * 1024 * 1024;
        var slots = new Slots(2, _time);
        // Short calls: many are claimed ahead.
        for (var n = 0; n < 500; n++)
        {
            await TakeAsync(slots, 2);
            End(slots, 2);
        }

        _time.Advance(TimeSpan.FromMilliseconds(50));
        await TakeAsync(slots, 2);
        End(slots, 2);
        Assert.Equal(5, slots.Take(5));
        Assert.True(await slots.EnterAsync());
        Assert.True(await slots.EnterAsync());
        slots.Wait(Large);
        var waiting = slots.EnterAsync(Large).AsTask();
        Assert.True(slots.IsFull);
        Assert.Equal(0, slots.Take(1000));
        slots.Called(entered: true, isAnswered: false);
        Assert.True(await waiting.WaitAsync(TimeSpan.FromSeconds(60)));
        Assert.False(slots.IsFull);
        Assert.InRange(slots.Take(1000), 100, 1000);
    }

    [Fact]
    public async Task Nothing_of_a_flow_is_called_while_its_large_answers_wait_to_be_stored()
    {
        var slots = new Slots(8, _time);
        await TakeAsync(slots, 8);
        for (var n = 0; n < 3; n++)
            slots.Called(entered: true, isAnswered: true, answerBytes: 30 * Mebibyte, flow: "giant");
        var next = slots.EnterAsync(flow: "giant").AsTask();
        Assert.False(next.IsCompleted);
        slots.Stored(1, 30 * Mebibyte, "giant");
        Assert.True(await next.WaitAsync(TimeSpan.FromSeconds(60)));
    }

    [Fact]
    public async Task A_job_of_another_flow_is_called_while_large_answers_wait_to_be_stored()
    {
        var slots = new Slots(8, _time);
        await TakeAsync(slots, 8);
        for (var n = 0; n < 3; n++)
            slots.Called(entered: true, isAnswered: true, answerBytes: 30 * Mebibyte, flow: "giant");
        var giant = slots.EnterAsync(flow: "giant").AsTask();
        Assert.True(slots.EnterAsync(flow: "small").IsCompleted);
        var queued = Enumerable.Range(0, 3).Select(_ => slots.EnterAsync(flow: "small").AsTask()).ToList();
        Assert.Equal(2, queued.Count(turn => turn.IsCompleted));
        slots.Called(entered: true, isAnswered: false, flow: "small");
        Assert.True(await queued[2].WaitAsync(TimeSpan.FromSeconds(60)));
        Assert.False(giant.IsCompleted);
    }

    [Fact]
    public async Task Nothing_is_called_while_the_answers_of_all_flows_together_are_too_large()
    {
        var slots = new Slots(8, _time);
        await TakeAsync(slots, 8);
        for (var n = 0; n < 6; n++)
            slots.Called(entered: true, isAnswered: true, answerBytes: 50 * Mebibyte, flow: $"giant {n}");
        var next = slots.EnterAsync(flow: "small").AsTask();
        Assert.False(next.IsCompleted);
        slots.Stored(1, 50 * Mebibyte, "giant 0");
        Assert.True(await next.WaitAsync(TimeSpan.FromSeconds(60)));
    }

    private static void Call(Slots slots, int jobs)
    {
        for (var n = 0; n < jobs; n++)
            slots.Called(entered: true, isAnswered: true);
    }

    private static void End(Slots slots, int jobs)
    {
        Call(slots, jobs);
        slots.Stored(jobs);
        for (var n = 0; n < jobs; n++)
            slots.Settled();
    }

    private static async Task TakeAsync(Slots slots, int expected, int more = 0)
    {
        Assert.Equal(expected + more, slots.Take(1000));
        for (var n = 0; n < expected; n++)
            Assert.True(await slots.EnterAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(60)));
    }
}
