namespace LlmPipeline;

/// <summary>A gateway can't be started as it was told to. The message is one line for people.</summary>
public sealed class GatewaySettingsException(string message) : Exception(message);
