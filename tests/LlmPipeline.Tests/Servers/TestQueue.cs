using System.Text;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>A queue and a batch with names of their own, and short ways to the verbs.</summary>
internal sealed class TestQueue
{
    public const string Worker = "worker-1";
    private int _tokens;

    private TestQueue(RedisConnections redis, PromptQueueOptions options, IReadOnlyList<QueuePartition> partitions, PromptQueue queue, string name)
    {
        Redis = redis;
        Options = options;
        Partitions = partitions;
        Queue = queue;
        Name = name;
    }

    public RedisConnections Redis { get; }

    public IDatabase Database => Redis.Database;

    public PromptQueueOptions Options { get; }

    public PromptQueue Queue { get; }

    public IReadOnlyList<QueuePartition> Partitions { get; }

    public QueuePartition Partition => Partitions[0];

    public QueueKeys Keys => Partition.Keys;

    public string Name { get; }

    public string Batch { get; } = Stores.NewName("batch");

    /// <summary>On a store, with one partition unless <paramref name="configure"/> says otherwise.</summary>
    public static async Task<TestQueue> CreateAsync(Store store, Action<PromptQueueOptions>? configure = null) =>
        await CreateAsync(await Stores.ConnectAsync(store), options =>
        {
            options.Partitions = 1;
            configure?.Invoke(options);
        });

    public static async Task<TestQueue> CreateAsync(RedisConnections redis, Action<PromptQueueOptions>? configure = null)
    {
        // All tests share a store, each with queues of its own.
        var options = new PromptQueueOptions { MaxQueues = null };
        configure?.Invoke(options);
        var queue = new PromptQueue(redis, options, TimeProvider.System);
        var name = Stores.NewName("queue");
        return new TestQueue(redis, options, await queue.PartitionsAsync(name), queue, name);
    }

    public static byte[] Body(string text) => Encoding.UTF8.GetBytes($$"""{"messages":[{"role":"user","content":"{{text}}"}]}""");

    /// <summary>A job of the batch.</summary>
    public Job Row(int row, Lane lane = Lane.Normal) => Single($"{Batch}.{row}", lane) with { Batch = Batch, Row = row };

    /// <summary>A job of no batch.</summary>
    public Job Single(string id, Lane lane = Lane.Normal) =>
        new() { Id = id, Queue = Name, Lane = lane, Work = new RequestWork { Path = "/v1/chat/completions", Body = Body(id) } };

    public async Task<EnqueueOutcome[]> EnqueueAsync(params Job[] jobs) => [.. await Queue.EnqueueAsync(jobs)];

    public Task<EnqueueOutcome[]> EnqueueRowsAsync(int from, int to, Lane lane = Lane.Normal) =>
        EnqueueAsync([.. Enumerable.Range(from, to - from + 1).Select(r => Row(r, lane))]);

    public string NewToken() => $"token-{Interlocked.Increment(ref _tokens)}";

    public Task<ClaimResult> ClaimAllAsync(int most = 500, string worker = Worker, Lane lane = Lane.High) => Partition.ClaimAsync(most, NewToken(), worker, lane);

    public async Task<IReadOnlyList<ClaimedJob>> ClaimAsync(int most = 500, string worker = Worker) => (await ClaimAllAsync(most, worker)).Jobs;

    public async Task<ClaimedJob> ClaimOneAsync(string worker = Worker) => Assert.Single(await ClaimAsync(1, worker));

    public async Task<SettleOutcome> CompleteAsync(ClaimedJob job, EndState state = EndState.Completed) => Assert.Single(await Partition.CompleteAsync([(job, state)]));

    public async Task<SettleOutcome> BuryAsync(ClaimedJob job) => Assert.Single(await Partition.BuryAsync([job]));

    public async Task<SettleOutcome> RetryAsync(ClaimedJob job, int attempts, TimeSpan delay) => Assert.Single(await Partition.RetryAsync([(job, attempts, delay)]));

    public async Task<SettleOutcome> ReleaseAsync(ClaimedJob job) => Assert.Single(await Partition.ReleaseAsync([job]));

    public async Task<bool> RenewAsync(ClaimedJob job, string worker = Worker) => Assert.Single(await Partition.RenewAsync(worker, [job])) != LeaseState.Lost;

    public static async Task<SettleOutcome> RetryAsync(QueuePartition partition, ClaimedJob job, TimeSpan delay) => Assert.Single(await partition.RetryAsync([(job, 1, delay)]));

    public Task SaveBatchAsync() => Queue.Batches.SaveAsync(new BatchInfo { Id = Batch, Queues = [Name], Created = TimeProvider.System.GetUtcNow() });

    /// <summary>Claims and ends whatever waits in every partition: with a completion, or in <paramref name="asked"/> what was asked to stop.</summary>
    public async Task EndAllAsync(EndState asked)
    {
        foreach (var partition in Partitions)
        {
            while ((await partition.ClaimAsync(256, NewToken(), Worker)).Jobs is { Count: > 0 } jobs)
                await partition.CompleteAsync([.. jobs.Select(j => (j, j.CancelAsked ? asked : EndState.Completed))]);
        }
    }

    /// <summary>Claims and buries whatever waits in every partition.</summary>
    public async Task BuryAllAsync()
    {
        foreach (var partition in Partitions)
        {
            while ((await partition.ClaimAsync(256, NewToken(), Worker)).Jobs is { Count: > 0 } jobs)
                await partition.BuryAsync(jobs);
        }
    }

    public Task<int> ReclaimAsync() => Partition.ReclaimAsync(CancellationToken.None);

    public async Task<bool> RedriveAsync(Job job) => Assert.Single(await Queue.Batches.RedriveAsync(Name, Batch, [(job.Id, job.Row)]));

    /// <summary>Turns the clock to after the end of a lease.</summary>
    public Task ExpireAsync(params IEnumerable<ClaimedJob> jobs) =>
        Task.WhenAll(jobs.Select(j => Database.SortedSetAddAsync(Partitions[j.Partition].Keys.Inflight, j.Job.Id, 1)));

    /// <summary>Turns the clock to when a process was last seen long ago.</summary>
    public Task LoseWorkerAsync(string worker = Worker) => Database.SortedSetAddAsync(Keys.Workers, worker, 1);

    /// <summary>Turns the clock to the due time of a delayed job.</summary>
    public Task MakeDueAsync(string id) => Database.SortedSetAddAsync(Keys.Delayed, id, 1);

    public async Task<BatchProgress> ProgressAsync()
    {
        var follower = await Queue.Batches.FollowAsync(Batch, [Name]);
        await follower.ReadAsync();
        return follower.Progress;
    }

    public Task<QueueStats> StatsAsync() => Queue.StatsAsync(Name);
}
