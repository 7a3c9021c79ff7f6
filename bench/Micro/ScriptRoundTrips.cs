using System.Globalization;
using System.Security.Cryptography;
using BenchmarkDotNet.Attributes;

namespace LlmPipeline.Bench;

/// <summary>The calls that a job's way through Redis consists of, one at a time.</summary>
// BenchmarkDotNet derives from it. As many calls as there are jobs prepared for: it must not choose their number.
[InvocationCount(Calls, 1)]
public class ScriptRoundTrips
{
    private const int Calls = 32;

    // Twelve iterations, three to warm up, and a few calls while it looks whether it works at all.
    private const int Prepared = Calls * 18;
    private const int JobsPerEnqueue = 500;
    private const int JobsPerClaim = 256;
    private readonly Queue<ClaimedJob[]> _claims = new();
    private BenchRedis? _server;
    private OwnBatch? _batch;
    private QueuePartition? _partition;
    private int _next;

    [GlobalSetup]
    public async Task StartAsync()
    {
        _server = await BenchRedis.StartAsync();
        _batch = await OwnBatch.OpenAsync(_server.Address, "micro", int.MaxValue);
        // The queue must exist for its partitions to be told.
        await _batch.EnqueueAsync(_next++, 1);
        _partition = (await _batch.Queue.PartitionsAsync(OwnBatch.Model))[0];
    }

    [GlobalSetup(Target = nameof(Claim_256_jobs))]
    public async Task FillAsync()
    {
        await StartAsync();
        await _batch!.EnqueueAsync(_next, Prepared * JobsPerClaim);
    }

    [GlobalSetup(Target = nameof(Complete_256_jobs))]
    public async Task ClaimAllAsync()
    {
        await FillAsync();
        while (await ClaimAsync() is { Count: > 0 } claim)
            _claims.Enqueue([.. claim]);
    }

    [GlobalCleanup]
    public async Task StopAsync()
    {
        await _batch!.DisposeAsync();
        await _server!.DisposeAsync();
    }

    [Benchmark]
    public async Task Enqueue_500_jobs()
    {
        await _batch!.EnqueueAsync(_next, JobsPerEnqueue);
        _next += JobsPerEnqueue;
    }

    [Benchmark]
    public async Task Claim_256_jobs()
    {
        if ((await ClaimAsync()).Count == 0)
            throw new InvalidOperationException("there are no jobs left to claim");
    }

    [Benchmark]
    public async Task Complete_256_jobs()
    {
        var settled = await _partition!.CompleteAsync([.. _claims.Dequeue().Select(job => (job, EndState.Completed))]);
        if (settled[0] != SettleOutcome.Settled)
            throw new InvalidOperationException("a job could not be settled");
    }

    [Benchmark]
    public Task Put_a_result() => _batch!.Results.StoreAsync(Result());

    [Benchmark]
    public Task Put_256_results() => _batch!.Results.StoreAsync([.. Enumerable.Range(0, JobsPerClaim).Select(_ => Result())]);

    private async Task<IReadOnlyList<ClaimedJob>> ClaimAsync() =>
        (await _partition!.ClaimAsync(JobsPerClaim, RandomNumberGenerator.GetHexString(32), "micro")).Jobs;

    private JobResult Result() => new()
    {
        JobId = string.Create(CultureInfo.InvariantCulture, $"micro.{++_next}"),
        Status = ResultStatus.Completed,
        Response = Answers.Short,
        Meta = new ResultMeta { RequestId = "none", StatusCode = 200, Model = OwnBatch.Model, Deployment = "none", Attempts = 1 },
    };
}
