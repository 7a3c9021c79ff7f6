namespace LlmPipeline;

/// <summary>The time that a run has left: <see cref="RowRate"/>, with runs that are played event by event.</summary>
public sealed class EstimatingTheTimeLeft
{
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    /// <summary>Calls at the same time, seconds of a call, and how much that varies.</summary>
    public static TheoryData<int, double, double> SteadyRuns => new()
    {
        { 32, 0.4, 0.3 }, { 32, 2, 0 }, { 32, 2, 0.5 }, { 8, 10, 0 }, { 8, 10, 0.3 }, { 64, 20, 0.3 }, { 200, 12, 0.3 }, { 1, 3, 0.2 },
    };

    [Theory]
    [MemberData(nameof(SteadyRuns))]
    public void From_the_first_minute_on_it_is_within_a_quarter_of_the_truth(int concurrency, double seconds, double spread)
    {
        var rows = (int)(concurrency / seconds * 600);
        var ends = Play(rows, concurrency, seconds, spread);
        var rate = new RowRate(Window);
        var (done, wrong, looked) = (0, 0, 0);

        for (var now = 0.25; now < ends[^1] * 0.8; now += 0.25)
        {
            while (done < rows && ends[done] <= now)
                done++;
            rate.Add(TimeSpan.FromSeconds(now), done);
            if (now < 60)
                continue;
            looked++;
            var left = rate.Left(TimeSpan.FromSeconds(now), rows - done)!.Value.TotalSeconds;
            wrong += Math.Abs(left - (ends[^1] - now)) > 0.25 * (ends[^1] - now) ? 1 : 0;
        }

        Assert.True(wrong == 0, $"{wrong} of {looked} estimates");
    }

    [Fact]
    public void Rows_that_end_in_waves_give_the_right_rate_from_the_first_wave_on()
    {
        var rate = new RowRate(Window);
        for (var wave = 1; wave <= 3; wave++)
        {
            rate.Add(TimeSpan.FromSeconds(10 * wave), 8 * wave);

            foreach (var later in (double[])[0, 3, 9.5])
            {
                var now = TimeSpan.FromSeconds((10 * wave) + later);
                Assert.Equal(0.8, rate.PerSecond(now), 3);
                Assert.Equal(100 - now.TotalSeconds, rate.Left(now, 80 - (8 * wave))!.Value.TotalSeconds, 3);
            }
        }
    }

    [Fact]
    public void Before_a_row_has_ended_it_is_not_known()
    {
        var rate = new RowRate(Window);

        Assert.Null(rate.Left(TimeSpan.FromSeconds(30), 100));
        Assert.Equal(TimeSpan.Zero, rate.Left(TimeSpan.FromSeconds(30), 0));
    }

    [Fact]
    public void A_run_that_stands_still_gets_slower()
    {
        var rate = new RowRate(Window);
        for (var second = 1; second <= 30; second++)
            rate.Add(TimeSpan.FromSeconds(second), second * 10);

        Assert.Equal(10, rate.PerSecond(TimeSpan.FromSeconds(30)), 3);
        Assert.Equal(5, rate.PerSecond(TimeSpan.FromSeconds(60)), 3);
        Assert.Equal(TimeSpan.FromSeconds(60), rate.Idle(TimeSpan.FromSeconds(90)));
    }

    [Fact]
    public void A_change_of_the_speed_shows_within_the_window()
    {
        var rate = new RowRate(Window);
        for (var second = 1; second <= 200; second++)
            rate.Add(TimeSpan.FromSeconds(second), second <= 100 ? second * 10 : 1000 + (second - 100));

        Assert.InRange(rate.PerSecond(TimeSpan.FromSeconds(200)), 0.9, 1.3);
    }

    private static List<double> Play(int rows, int concurrency, double seconds, double spread)
    {
        var random = new Random(17);
        var slots = new PriorityQueue<int, double>(Enumerable.Range(0, concurrency).Select(slot => (slot, 0.0)));
        var ends = new List<double>();
        for (var row = 0; row < rows; row++)
        {
            slots.TryDequeue(out var slot, out var free);
            var end = free + (seconds * Math.Exp(spread * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())));
            ends.Add(end);
            slots.Enqueue(slot, end);
        }

        ends.Sort();
        return ends;
    }
}
