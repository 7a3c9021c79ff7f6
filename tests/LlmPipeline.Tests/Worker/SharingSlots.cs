using Microsoft.Extensions.Time.Testing;

namespace LlmPipeline.Tests;

public sealed class SharingSlots
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task Another_job_is_taken_when_an_answer_is_safe_and_none_while_too_many_are_unsettled()
    {
        var slots = new Slots(4, _time);
        await TakeAsync(slots, 4);
        Assert.Equal(0, slots.Take(10));
        slots.Called(3, 3);
        await TakeAsync(slots, 3);
        slots.Called(4, 4);
        await TakeAsync(slots, 1);
        slots.Called(1, 1);
        Assert.Equal(0, slots.Running);
        var seen = slots.Freed.Version;
        Assert.Equal(0, slots.Take(10));
        slots.Settled(2);
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
            slots.Called(1, 1);
            slots.Settled(1);
            await TakeAsync(slots, 1);
        }
    }

    [Fact]
    public async Task Where_calls_are_short_as_many_are_held_as_get_a_slot_soon_and_they_are_taken_together()
    {
        var slots = new Slots(80, _time);
        await TakeAsync(slots, 80);
        // 400 a second: four in 10 ms.
        _time.Advance(TimeSpan.FromMilliseconds(100));
        slots.Called(40, 40);
        slots.Settled(40);
        await TakeAsync(slots, 40, more: 4);
        var waiting = Enumerable.Range(0, 4).Select(_ => slots.EnterAsync().AsTask()).ToList();
        Assert.Equal(80, slots.Running);
        Assert.DoesNotContain(waiting, turn => turn.IsCompleted);

        slots.Called(1, 1);
        slots.Settled(1);
        Assert.True(await waiting[0].WaitAsync(TimeSpan.FromSeconds(60)));
        Assert.Equal(80, slots.Running);
        Assert.Equal(0, slots.Take(10));
        slots.Called(1, 1);
        slots.Settled(1);
        Assert.True(await waiting[1].WaitAsync(TimeSpan.FromSeconds(60)));
        Assert.Equal(2, slots.Take(10));
    }

    [Fact]
    public async Task A_job_that_never_had_a_slot_frees_none()
    {
        var slots = new Slots(2, _time);
        await TakeAsync(slots, 2);
        slots.Called(1, 0);
        Assert.Equal(2, slots.Running);
        Assert.Equal(1, slots.Take(10));
        Assert.False(slots.EnterAsync().IsCompleted);
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

    private static async Task TakeAsync(Slots slots, int expected, int more = 0)
    {
        Assert.Equal(expected + more, slots.Take(1000));
        for (var n = 0; n < expected; n++)
            Assert.True(await slots.EnterAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(60)));
    }
}
