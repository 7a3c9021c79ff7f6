using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmPipeline.Bench;

/// <summary>A batch of this project's jobs, for the drivers: enqueued as a stream, and worked on in this process.</summary>
internal sealed class OwnBatch : IAsyncDisposable
{
    public const string Model = "sim";
    private readonly string _id;
    private readonly Func<int, RequestWork> _work;
    private readonly VersionedSignal _settled = new();

    private OwnBatch(RedisConnections redis, string id, PromptQueueOptions options, Func<int, RequestWork> work)
    {
        Redis = redis;
        _id = id;
        _work = work;
        Queue = new PromptQueue(redis, options, TimeProvider.System);
        Results = new ResultStore(redis, new ResultStoreOptions(), TimeProvider.System);
    }

    public RedisConnections Redis { get; }

    public PromptQueue Queue { get; }

    public ResultStore Results { get; }

    /// <summary>Connects, and writes the batch down.</summary>
    /// <param name="address">The Redis.</param>
    /// <param name="id">The batch's.</param>
    /// <param name="rows">How many jobs it has.</param>
    /// <param name="work">The work of each, by its number from 0; null for a short prompt.</param>
    /// <param name="partitions">Of the queue; null for its default.</param>
    public static async Task<OwnBatch> OpenAsync(string address, string id, int rows, Func<int, RequestWork>? work = null, int? partitions = null)
    {
        var redis = await RedisConnections.ConnectAsync(RedisAddress.Parse(address), TimeProvider.System);
        var batch = new OwnBatch(
            redis, id, new PromptQueueOptions { Partitions = partitions }, work ?? (n => RequestWork.OfPrompt(Model, string.Create(CultureInfo.InvariantCulture, $"Summarise text number {n}"))));
        await batch.Queue.Batches.SaveAsync(new BatchInfo { Id = id, Rows = rows, Queues = [Model] });
        return batch;
    }

    /// <summary>An LLM at an endpoint, asked by up to <paramref name="concurrency"/> calls at a time.</summary>
    public LlmCaller Llm(Uri url, int concurrency) => new(
        new LlmOptions { Deployments = { new DeploymentOptions { Name = "sim", Endpoint = url.ToString(), Concurrency = concurrency } } },
        new PromptFunctionSource(Queue).FindAsync, TimeProvider.System, NullLoggerFactory.Instance, fleet: () => Redis);

    /// <summary>Enqueues jobs by their numbers, as a stream.</summary>
    public async Task EnqueueAsync(int from, int count)
    {
        await foreach (var (_, outcome) in Queue.EnqueueAsync(Enumerable.Range(from, count).Select(Job).ToAsyncEnumerable()))
        {
            if (outcome != EnqueueOutcome.Added)
                throw new MeasurementException($"a job was not added: {outcome}");
        }
    }

    /// <summary>Enqueues jobs by their numbers in lists of 1,000, one after the other has been answered.</summary>
    public async Task EnqueueListsAsync(int count)
    {
        foreach (var list in Enumerable.Range(0, count).Chunk(1000))
            await Queue.EnqueueAsync([.. list.Select(Job)]);
    }

    /// <summary>A worker process's worker, to be started on <see cref="Model"/>.</summary>
    public WorkerProcess Worker(ILlmCaller caller, int concurrency)
    {
        var worker = new WorkerProcess(Redis, Queue, Results, caller, new WorkerOptions { Concurrency = concurrency }, TimeProvider.System, NullLoggerFactory.Instance);
        worker.Settled += _settled.Set;
        return worker;
    }

    /// <summary>Waits until so many jobs have ended.</summary>
    /// <returns>How far the batch is.</returns>
    public async Task<BatchProgress> EndAsync(int jobs)
    {
        while (true)
        {
            var seen = _settled.Version;
            var progress = await Queue.Batches.ProgressAsync(_id);
            if (progress.Ended >= jobs)
                return progress;
            await SettledAsync(seen);
        }
    }

    /// <summary>How often jobs have settled, to be noted before <see cref="SettledAsync"/>.</summary>
    public long Settlements => _settled.Version;

    /// <summary>Waits until jobs have settled since, or a second has passed.</summary>
    public Task SettledAsync(long seen) => _settled.WaitAsync(seen, TimeSpan.FromSeconds(1), TimeProvider.System, CancellationToken.None);

    public ValueTask DisposeAsync() => Redis.DisposeAsync();

    private Job Job(int number) => new()
    {
        Id = string.Create(CultureInfo.InvariantCulture, $"{_id}.{number + 1}"),
        Queue = Model,
        Batch = _id,
        Row = number + 1,
        Work = _work(number),
    };
}
