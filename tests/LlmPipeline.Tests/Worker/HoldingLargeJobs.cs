namespace LlmPipeline.Tests;

/// <summary>What a process keeps of the jobs that it works on: <see cref="HeldJob"/>, <see cref="RunWindow"/>.</summary>
public sealed class HoldingLargeJobs
{
    private static readonly RowTarget Target = new("m", "/v1/x");

    [Fact]
    public async Task When_its_call_is_over_a_job_has_a_large_request_no_longer()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        var small = new HeldJob(Claim(queue, 1, 1000), queue.Partition, new NoOwner());
        var large = new HeldJob(Claim(queue, 2, 1_000_000), queue.Partition, new NoOwner());

        small.TellCalled();
        large.TellCalled(isAnswered: true, answerBytes: 5);

        Assert.Equal(1000, JobGroups.Size(small.Claim.Job));
        Assert.Equal(0, JobGroups.Size(large.Claim.Job));
        Assert.Equal((1_000_000, 5, queue.Row(2).Id, "token"), (large.Bytes, large.AnswerBytes, large.Claim.Job.Id, large.Claim.Token));
    }

    [Fact]
    public async Task Rows_that_are_large_pass_until_there_are_enough_for_all_calls()
    {
        var window = new RunWindow(100, 1000, 3, _ => false, TimeProvider.System);
        for (var row = 1; row <= 3; row++)
            await window.AddAsync([(row, Target, 900)], CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(30));
        using var enough = new CancellationTokenSource();
        var next = window.AddAsync([(4, Target, 900)], enough.Token);
        Assert.False(next.IsCompleted);
        window.Remove([2]);
        await next.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(3, window.Rows);
    }

    private static ClaimedJob Claim(TestQueue queue, int row, int bytes) =>
        new(
            queue.Row(row) with { Work = new RequestWork { Path = "/v1/x", Body = new byte[bytes] } },
            0,
            "token",
            0,
            0,
            false,
            TimeSpan.Zero);

    private sealed class NoOwner : IJobOwner
    {
        public ValueTask<bool> EnterAsync(HeldJob job) => ValueTask.FromResult(true);

        public void Called(HeldJob job, bool isAnswered)
        {
        }

        public void Stored(string flow, int answers, long bytes)
        {
        }

        public void Ended(HeldJob job)
        {
        }
    }
}
