using Microsoft.Extensions.Time.Testing;

namespace LlmPipeline;

/// <summary>Rows per second and the time left in <c>status</c>: <see cref="BatchRates"/>.</summary>
public sealed class MeasuringTheRate(FleetHouse house) : IClassFixture<FleetHouse>, IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private readonly FleetDesk _desk = new(house);

    public void Dispose() => _desk.Dispose();

    [Fact]
    public void The_rate_is_that_of_the_looks_within_the_window()
    {
        var time = new FakeTimeProvider();
        var rates = new BatchRates(time, TimeSpan.FromSeconds(10));

        Assert.Null(rates.Measure(Status(ended: 5)).RowsPerSecond);
        time.Advance(TimeSpan.FromSeconds(2));
        var second = rates.Measure(Status(ended: 15));
        time.Advance(TimeSpan.FromSeconds(9));
        var third = rates.Measure(Status(ended: 15 + 180));
        time.Advance(TimeSpan.FromSeconds(9));
        var idle = rates.Measure(Status(ended: 15 + 180));
        time.Advance(TimeSpan.FromSeconds(9));
        var still = rates.Measure(Status(ended: 15 + 180));
        time.Advance(TimeSpan.FromSeconds(1));
        var again = rates.Measure(Status(ended: 10));

        Assert.Equal((5, 197), (second.RowsPerSecond, second.SecondsLeft));
        Assert.Equal((20, 41), (third.RowsPerSecond, third.SecondsLeft));
        Assert.Equal((0, null), (idle.RowsPerSecond, idle.SecondsLeft));
        Assert.Equal((0, null), (still.RowsPerSecond, still.SecondsLeft));
        Assert.Equal((0, null), (again.RowsPerSecond, again.SecondsLeft));
        Assert.Null(rates.Measure(Status(ended: 1000)).RowsPerSecond);
    }

    [Theory]
    [InlineData(9, "9 s")]
    [InlineData(61, "1 min 1 s")]
    [InlineData(7265, "2 h 1 min")]
    [InlineData(1e9, "over 10 days")]
    public void The_time_left_is_told_in_two_units(double seconds, string text) => Assert.Equal(text, BatchRates.TimeText(seconds));

    [Fact]
    public async Task A_batch_that_runs_has_a_rate_and_a_time_left()
    {
        _desk.WriteRows("in.jsonl", 3000);
        await house.StartWorkerAsync(concurrency: 1);
        var batch = await _desk.SubmitAsync("in.jsonl");

        var status = await _desk.JsonAsync(0, "status", batch);
        await Eventually.HoldsAsync(
            async () => (double?)(status = await _desk.JsonAsync(0, "status", batch, "--over", "0.5"))["rows_per_second"] > 0, "rows end", Patience);

        var (rate, left) = ((double)status["rows_per_second"]!, (double)status["left"]!);
        Assert.InRange((double)status["seconds_left"]!, (left / (rate + 0.01)) - 1, (left / (rate - 0.01)) + 1);
        Assert.Matches(@"\nrate       [\d,.]+ rows/s(, about .+ left)?\n", await _desk.OutAsync(0, "status", batch));
        Assert.Matches("LEFT +ROWS/S", await _desk.OutAsync(0, "status"));
        await _desk.OutAsync(0, "cancel", batch);
        await _desk.OutAsync(3, "results", batch, "--wait");
        Assert.Null((await _desk.JsonAsync(0, "status", batch))["rows_per_second"]);
    }

    [Fact]
    public async Task Where_no_row_ends_the_rate_is_0_and_the_time_left_is_not_known()
    {
        await house.Queue.EnqueueAsync(_desk.Model, "makes the queue");
        await house.Queue.PauseAsync(_desk.Model);
        _desk.WriteRows("in.jsonl", 2);
        var batch = await _desk.SubmitAsync("in.jsonl");

        var status = await _desk.JsonAsync(0, "status", batch);

        Assert.Equal(0, (double)status["rows_per_second"]!);
        Assert.Null(status["seconds_left"]);
        Assert.Contains("\nrate       0 rows/s\n", await _desk.OutAsync(0, "status", batch));
    }

    private static BatchStatus Status(int ended) => new()
    {
        Batch = "b",
        Name = null,
        State = ended == 1000 ? "ended" : "running",
        Created = default,
        Queues = [],
        Endpoint = "",
        Rows = 1000,
        Submitted = 1000,
        Completed = ended,
        Failed = 0,
        Cancelled = 0,
        Left = 1000 - ended,
        Cost = null,
        Simulated = false,
        Models = [],
    };
}
