namespace LlmPipeline;

/// <summary>How lines of a log are written.</summary>
internal enum LogFormat
{
    /// <summary>Time, level and message.</summary>
    Text,

    /// <summary>One JSON object a line.</summary>
    Json,
}
