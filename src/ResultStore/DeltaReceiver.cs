namespace LlmPipeline;

/// <summary>Receives the data of one event of a streamed answer, and returns when the next one may come.</summary>
/// <param name="delta">The data, as the provider sent it.</param>
/// <param name="cancellationToken">Ends the wait with an exception.</param>
public delegate ValueTask DeltaReceiver(string delta, CancellationToken cancellationToken);
