namespace LlmPipeline;

/// <summary>A write was accepted, but too few replicas are known to have it: a failover now may lose it. The same call again is safe.</summary>
public sealed class ReplicasBehindException : Exception
{
    private ReplicasBehindException(string what, Exception? cause)
        : base(what + "; it was accepted, but a failover now may lose it", cause)
    {
    }

    internal static ReplicasBehindException TooFew(long have, ReplicaWait wanted) =>
        new($"{have} of {wanted.Replicas} replicas have the write after {wanted.Timeout.TotalSeconds:0.###} s", null);

    internal static ReplicasBehindException Unknown(Exception? cause = null) => new("the connection was lost before replicas confirmed the write", cause);
}
