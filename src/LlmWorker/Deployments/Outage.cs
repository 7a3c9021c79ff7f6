namespace LlmPipeline;

/// <summary>
/// Why a part of a deployment is unavailable, and when it is probed again. Changed only under the lock of its <see cref="Availability"/>.
/// </summary>
internal sealed class Outage(FaultScope scope, string code, string reason, DateTimeOffset since)
{
    /// <summary>What is unavailable.</summary>
    public FaultScope Scope => scope;

    /// <summary>The code of the error that closed it.</summary>
    public string Code => code;

    /// <summary>The provider's sentence, without keys.</summary>
    public string Reason => reason;

    /// <summary>When it was closed.</summary>
    public DateTimeOffset Since => since;

    /// <summary>Flows whose rows have been refused.</summary>
    public HashSet<string> RefusedFlows { get; } = [];

    /// <summary>Timestamp from which any row may probe it.</summary>
    public long NextProbe { get; set; }

    /// <summary>Timestamp from which one more job may be claimed to see whether its flow has been refused yet.</summary>
    public long NextLook { get; set; }

    /// <summary>Whether a row probes it now.</summary>
    public bool IsProbing { get; set; }

    /// <summary>Probes that were refused.</summary>
    public int FailedProbes { get; set; }

    /// <summary>
    /// Whether a probe has confirmed it: the key was refused by the list of models, or a row was refused after the outage began.
    /// </summary>
    public bool IsConfirmed { get; set; }
}
