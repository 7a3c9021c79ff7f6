using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmPipeline.Tests;

public sealed class TracingAJob : IDisposable
{
    private static readonly ActivitySource Source = new(nameof(TracingAJob));
    private readonly ConcurrentQueue<Activity> _ended = new();
    private readonly ActivityListener _listener;

    public TracingAJob()
    {
        _listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name.StartsWith("LlmPipeline.", StringComparison.Ordinal) || source.Name == nameof(TracingAJob),
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = _ended.Enqueue,
        };
        ActivitySource.AddActivityListener(_listener);
    }

    public void Dispose() => _listener.Dispose();

    [Fact]
    public async Task A_trace_shows_enqueue_wait_quota_call_and_store()
    {
        await using var llm = await LlmSimulator.StartAsync(new SimulatorOptions { Script = [FaultKind.ServerError] });
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        await using var caller = CallerHouse.Caller(CallerHouse.Options(new DeploymentOptions { Name = "one", Endpoint = llm.BaseUrl.ToString(), Model = queue.Name }));
        var results = new ResultStore(queue.Redis, new ResultStoreOptions(), TimeProvider.System);
        await using var worker = new WorkerProcess(queue.Redis, queue.Queue, results, caller, new WorkerOptions(), TimeProvider.System, NullLoggerFactory.Instance);
        await worker.StartAsync([queue.Name]);
        string id;
        ActivityTraceId trace;
        using (var mine = Source.StartActivity("mine"))
        {
            trace = mine!.TraceId;
            id = await queue.Queue.EnqueueAsync(queue.Name, "hello");
        }

        await results.WaitAsync(id).WaitAsync(TimeSpan.FromSeconds(60));
        await Eventually.HoldsAsync(() => Task.FromResult(_ended.Any(a => a.TraceId == trace && a.OperationName.StartsWith("process", StringComparison.Ordinal))), "the trace ends", TimeSpan.FromSeconds(30));

        var spans = _ended.Where(a => a.TraceId == trace).ToList();
        Activity One(string name) => Assert.Single(spans, a => a.OperationName == name);
        var send = One($"send {queue.Name}");
        var process = One($"process {queue.Name}");
        Assert.Equal(One("mine").SpanId, send.ParentSpanId);
        Assert.Equal(send.SpanId, process.ParentSpanId);
        Assert.Equal((ActivityKind.Producer, ActivityKind.Consumer), (send.Kind, process.Kind));
        Assert.Equal(id, process.GetTagItem("messaging.message.id"));
        var wait = One("wait");
        Assert.Equal(send.SpanId, wait.ParentSpanId);
        Assert.True(wait.StartTimeUtc + wait.Duration <= process.StartTimeUtc + TimeSpan.FromMilliseconds(1));
        var calls = spans.Where(a => a.OperationName == $"chat {queue.Name}").OrderBy(a => a.StartTimeUtc).ToList();
        Assert.Equal([500, 200], calls.Select(a => a.GetTagItem("http.response.status_code")));
        Assert.Equal(ActivityStatusCode.Error, calls[0].Status);
        Assert.Equal(2, spans.Count(a => a.OperationName == "quota"));
        Assert.All(calls, a => Assert.Equal(process.SpanId, a.ParentSpanId));
        Assert.Equal(llm.Stats.TokensIn, (long)calls[1].GetTagItem("gen_ai.usage.input_tokens")!);
        Assert.Equal(process.SpanId, One("store").ParentSpanId);
    }

    [Fact]
    public async Task A_second_completion_of_a_job_is_counted_as_paid_twice_and_a_repeat_is_not()
    {
        var results = new ResultStore((await TestQueue.CreateAsync(Store.RedisServer)).Redis, new ResultStoreOptions(), TimeProvider.System);
        JobResult Result(long finished, ResultStatus status = ResultStatus.Completed) => new()
        {
            JobId = _name,
            Status = status,
            Response = "{}"u8.ToArray(),
            Meta = new ResultMeta { Model = "m", Finished = finished },
        };

        Assert.Equal((ResultStatus.Failed, false), await results.StoreAsync(Result(1, ResultStatus.Failed)));
        Assert.Equal((ResultStatus.Completed, false), await results.StoreAsync(Result(2)));
        Assert.Equal((ResultStatus.Completed, false), await results.StoreAsync(Result(2)));
        Assert.Equal((ResultStatus.Completed, false), await results.StoreAsync(Result(3, ResultStatus.Failed)));
        Assert.Equal((ResultStatus.Completed, true), await results.StoreAsync(Result(4)));

        var counted = new List<long>();
        using var meters = new MeterListener { InstrumentPublished = (instrument, listener) => { if (instrument.Name == "llmpipeline.calls.paid_twice") listener.EnableMeasurementEvents(instrument); } };
        meters.SetMeasurementEventCallback<long>((_, value, tags, _) => { if (tags.ToArray().Any(tag => (string?)tag.Value == _name)) counted.Add(value); });
        meters.Start();
        WorkerTelemetry.Stored(_name, ResultStatus.Completed, isPaidTwice: false);
        WorkerTelemetry.Stored(_name, ResultStatus.Completed, isPaidTwice: true);
        Assert.Equal([1], counted);
    }

    private readonly string _name = Stores.NewName("twice");
}
