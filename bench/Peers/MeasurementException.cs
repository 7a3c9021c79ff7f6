namespace LlmPipeline.Bench;

/// <summary>Something cannot be measured here; the message says why.</summary>
internal sealed class MeasurementException(string message, Exception? inner = null) : Exception(message, inner);
