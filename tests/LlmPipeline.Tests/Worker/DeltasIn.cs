namespace LlmPipeline;

/// <summary>Receivers of deltas that keep them.</summary>
internal static class DeltasIn
{
    public static DeltaReceiver List(List<string> list) => (delta, _) =>
    {
        list.Add(delta);
        return ValueTask.CompletedTask;
    };
}
