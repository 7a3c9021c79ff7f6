namespace LlmPipeline;

/// <summary>An answer has more bytes than <see cref="LlmOptions.MaxAnswerBytes"/>.</summary>
internal sealed class AnswerTooLargeException() : Exception("The answer is larger than MaxAnswerBytes.");
