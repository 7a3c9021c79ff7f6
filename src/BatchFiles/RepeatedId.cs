namespace LlmPipeline;

/// <summary>A value of the field <c>id</c> that two rows have.</summary>
/// <param name="Value">The value, fit for a line of a terminal.</param>
/// <param name="First">Where the first stands: <c>line 3</c>, or <c>FILE:3</c> where there are several files.</param>
/// <param name="Second">Where the second stands.</param>
public sealed record RepeatedId(string Value, string First, string Second);
