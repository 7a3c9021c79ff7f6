namespace LlmPipeline;

/// <summary>A streamed answer broke off, or said in its middle that it failed.</summary>
internal sealed class BrokenStreamException(string message) : IOException(message);
