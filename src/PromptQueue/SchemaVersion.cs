namespace LlmPipeline;

/// <summary>
/// A version of the layout of a queue's keys and of its envelopes: what <c>version</c> in a queue's meta data and the format byte of an
/// envelope hold. Every
/// script compares it, so that a program refuses what it does not know.
/// </summary>
public sealed record SchemaVersion
{
    private SchemaVersion(char digit) => (Text, Format) = (digit.ToString(), (byte)digit);

    /// <summary>Queues that are named by a model: every worker claims from them. Programs before 0.2 know only this version.</summary>
    public static SchemaVersion Shared { get; } = new('1');

    /// <summary>Private queues of runs, whose envelopes name the model (<see cref="PrivateQueue"/>).</summary>
    public static SchemaVersion Private { get; } = new('2');

    /// <summary>The version as Redis has it.</summary>
    public string Text { get; }

    /// <summary>The format byte of an envelope.</summary>
    internal byte Format { get; }

    /// <summary>The version of a queue, which its name says.</summary>
    public static SchemaVersion Of(string queue) => PrivateQueue.Is(queue) ? Private : Shared;

    /// <inheritdoc/>
    public override string ToString() => Text;
}
