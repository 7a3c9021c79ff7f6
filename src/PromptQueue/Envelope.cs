using System.Text.Json;

namespace LlmPipeline;

/// <summary>
/// A job as bytes: the lane (<c>1</c> high, <c>2</c> normal, <c>3</c> low: the scripts read it), the format (the digit of its <see cref="SchemaVersion"/>), the head's length as a
/// 7-bit varint, the head as JSON, and for a request the body as it is.
/// </summary>
internal static class Envelope
{
    public static byte[] Encode(Job job)
    {
        var body = job.Work is RequestWork request ? request.Body : default;
        var head = EnvelopeHead.Write(ToHead(job));
        var length = VarintLength(head.Length);
        var bytes = new byte[2 + length + head.Length + body.Length];
        bytes[0] = (byte)('1' + (int)job.Lane);
        bytes[1] = SchemaVersion.Of(job.Queue).Format;
        var at = 2;
        for (var rest = head.Length; ; rest >>= 7)
        {
            bytes[at++] = (byte)(rest < 0x80 ? rest : (rest & 0x7F) | 0x80);
            if (rest < 0x80)
                break;
        }

        head.CopyTo(bytes.AsSpan(at));
        body.Span.CopyTo(bytes.AsSpan(at + head.Length));
        return bytes;
    }

    /// <exception cref="FormatException">The bytes are no envelope of this format.</exception>
    public static Job Decode(string queue, string id, ReadOnlyMemory<byte> envelope)
    {
        var bytes = envelope.Span;
        if (bytes.Length < 4 || bytes[0] is < (byte)'1' or > (byte)'3' || bytes[1] != SchemaVersion.Of(queue).Format)
            throw new FormatException($"job {id} of queue {queue} was written in a format that this version doesn't know");
        int at = 2, length = 0, shift = 0;
        while (true)
        {
            if (at == bytes.Length || shift > 28)
                throw new FormatException($"job {id} of queue {queue} is cut");
            var next = bytes[at++];
            length |= (next & 0x7F) << shift;
            shift += 7;
            if (next < 0x80)
                break;
        }

        if (length < 0 || length > bytes.Length - at)
            throw new FormatException($"job {id} of queue {queue} is cut");
        try
        {
            var head = JsonSerializer.Deserialize(bytes.Slice(at, length), EnvelopeJson.Default.EnvelopeHead);
            if (head is null || (head.Path is null && head.Function is null))
                throw new FormatException($"job {id} of queue {queue} holds neither a request nor a prompt");
            return ToJob(queue, id, (Lane)(bytes[0] - '1'), head, envelope[(at + length)..]);
        }
        catch (Exception e) when (e is JsonException or ArgumentException or OverflowException)
        {
            // Broken JSON, or a time out of range. The inner exception could quote the prompt.
            throw new FormatException($"job {id} of queue {queue} has a broken head");
        }
    }

    /// <summary>A deadline on another clock, which is <paramref name="ahead"/>; one near the end of time stays where it is.</summary>
    public static DateTimeOffset? Shifted(DateTimeOffset? deadline, TimeSpan ahead) =>
        deadline is { } due && due < DateTimeOffset.MaxValue - ahead.Duration() && due > DateTimeOffset.MinValue + ahead.Duration() ? due + ahead : deadline;

    private static int VarintLength(int value) => value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5;

    private static EnvelopeHead ToHead(Job job)
    {
        var prompt = job.Work as PromptWork;
        return new EnvelopeHead
        {
            Path = (job.Work as RequestWork)?.Path,
            Function = prompt?.Function,
            Sha = prompt?.Sha,
            Variables = prompt?.Variables,
            System = prompt?.System,
            Settings = prompt?.Settings,
            Model = PrivateQueue.Is(job.Queue) ? job.Model : null,
            Batch = job.Batch,
            Row = job.Row,
            CustomId = job.CustomId,
            MaxAttempts = job.MaxAttempts,
            AttemptTimeout = (long?)job.AttemptTimeout?.TotalMilliseconds,
            Deadline = job.Deadline?.ToUnixTimeMilliseconds(),
            Enqueued = job.Enqueued.ToUnixTimeMilliseconds(),
            Metadata = job.Metadata,
            ResultLife = (long?)job.ResultLife?.TotalMilliseconds,
            TraceParent = job.TraceParent,
        };
    }

    private static Job ToJob(string queue, string id, Lane lane, EnvelopeHead head, ReadOnlyMemory<byte> body) => new()
    {
        Id = id,
        Queue = queue,
        // Null is the default: the queue.
        Model = head.Model!,
        Lane = lane,
        Work = head.Path is not null
            ? new RequestWork { Path = head.Path, Body = body }
            : new PromptWork
            {
                Function = head.Function ?? "",
                Sha = head.Sha ?? "",
                Variables = head.Variables ?? new Dictionary<string, string>(),
                System = head.System,
                Settings = head.Settings,
            },
        Batch = head.Batch,
        Row = head.Row,
        CustomId = head.CustomId,
        MaxAttempts = head.MaxAttempts,
        AttemptTimeout = head.AttemptTimeout is { } timeout ? TimeSpan.FromMilliseconds(timeout) : null,
        Deadline = head.Deadline is { } deadline ? DateTimeOffset.FromUnixTimeMilliseconds(deadline) : null,
        Enqueued = DateTimeOffset.FromUnixTimeMilliseconds(head.Enqueued),
        Metadata = head.Metadata,
        ResultLife = head.ResultLife is { } life ? TimeSpan.FromMilliseconds(life) : null,
        TraceParent = head.TraceParent,
    };
}
