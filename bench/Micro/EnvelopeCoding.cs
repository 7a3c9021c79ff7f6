using BenchmarkDotNet.Attributes;

namespace LlmPipeline.Bench;

/// <summary>A job of a batch with a request of some hundred words, to bytes and back.</summary>
public class EnvelopeCoding
{
    private readonly Job _job = new()
    {
        Id = "micro.1",
        Queue = OwnBatch.Model,
        Batch = "micro",
        Row = 1,
        CustomId = "row-1",
        Work = new RequestWork { Path = "/v1/chat/completions", Body = Prompts.Body(1) },
        Enqueued = DateTimeOffset.UnixEpoch,
    };

    private byte[] _bytes = [];

    [GlobalSetup]
    public void Prepare() => _bytes = Envelope.Encode(_job);

    [Benchmark]
    public int Encode() => Envelope.Encode(_job).Length;

    [Benchmark]
    public int Decode() => Envelope.Decode(_job.Queue, _job.Id, _bytes).Row;
}
